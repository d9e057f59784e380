// In a child process on a terminal of its own, of which this one holds the other end.
#include "client/cli/top/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr char kEntered[] = "\033[?1049h";
constexpr char kLeft[] = "\033[?1049l";
constexpr unsigned kStuckAfterS = 200;

class TerminalTest : public ::testing::Test {
 protected:
  void Run(const std::function<void()>& body) {
    const winsize size = {.ws_row = 30, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = forkpty(&end_, nullptr, nullptr, &size);
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      setenv("TERM", "xterm", 1);
      sigset_t none;  // whatever other tests of this process have blocked
      sigemptyset(&none);
      pthread_sigmask(SIG_SETMASK, &none, nullptr);
      alarm(kStuckAfterS);  // whoever waits for it is not to wait for ever
      body();
      _exit(0);
    }
    tcgetattr(end_, &before_);
  }
  ~TerminalTest() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      close(end_);
    }
  }
  // What the child has written, once that has `text` in it; for a minute at most.
  void ReadUntil(const std::string& text) {
    while (read_.find(text) == std::string::npos) {
      pollfd fd = {.fd = end_, .events = POLLIN};
      ASSERT_EQ(poll(&fd, 1, 60'000), 1) << "no " << text << " in " << read_;
      char bytes[4096];
      const ssize_t got = read(end_, bytes, sizeof(bytes));
      ASSERT_GT(got, 0) << "no " << text << " in " << read_;
      read_.append(bytes, static_cast<size_t>(got));
    }
  }
  bool Echoes() const {
    termios now;
    return tcgetattr(end_, &now) == 0 && (now.c_lflag & ECHO) != 0;
  }
  int Status() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
  int end_ = -1;
  termios before_;
  std::string read_;
};

TEST_F(TerminalTest, ShowsWhatItIsGivenAndEndsWithQ) {
  Run([] {
    Terminal terminal;
    if (!Terminal::IsThere() || terminal.size().columns != 100 || terminal.size().rows != 30) _exit(3);
    terminal.Show({"first", "second"});
    while (terminal.Wait(60'000) != Terminal::Event::kQuit) {
    }
  });
  ReadUntil("second");
  EXPECT_THAT(read_, HasSubstr(kEntered));
  EXPECT_FALSE(Echoes());
  ASSERT_EQ(write(end_, "xq", 2), 2);
  ReadUntil(kLeft);
  EXPECT_EQ(Status(), 0);
}

TEST_F(TerminalTest, ASignalRestoresItAndEndsTheProcessAsEver) {
  for (const int number : {SIGINT, SIGTERM}) {
    read_.clear();
    Run([] {
      Terminal terminal;
      while (true) terminal.Wait(60'000);
    });
    ReadUntil(kEntered);
    kill(pid_, number);
    ReadUntil(kLeft);
    const int status = Status();
    EXPECT_TRUE(Echoes());  // only now: modes are put back after what was read
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number) << status;
    close(end_);
  }
}

TEST_F(TerminalTest, ANewSizeIsNoticed) {
  Run([] {
    Terminal terminal;
    terminal.Show({"ready"});
    while (terminal.size().columns == 100) terminal.Wait(60'000);
    terminal.Show({"now " + std::to_string(terminal.size().columns)});
  });
  ReadUntil("ready");
  const winsize size = {.ws_row = 30, .ws_col = 77, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(end_, TIOCSWINSZ, &size), 0);
  ReadUntil("now 77");
  EXPECT_EQ(Status(), 0);
}

}  // namespace
}  // namespace incipit
