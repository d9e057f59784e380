#include "client/cli/top/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace incipit {
namespace {

constexpr char kEnter[] = "\033[?1049h\033[?25l";
constexpr char kLeave[] = "\033[?25h\033[?1049l";
constexpr int kEndSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr char kQuitKey = 'q';

// Of the one Terminal, for handlers of signals, which may use these and system calls alone.
bool has_modes = false;  // standard input is a terminal, whose modes were these
termios modes_before;
volatile sig_atomic_t resized = 0;
sigset_t mask_before;  // of signals, of the thread

void WriteAll(const char* text, size_t bytes) {
  while (bytes > 0) {
    const ssize_t written = write(STDOUT_FILENO, text, bytes);
    if (written < 0 && errno != EINTR) return;  // the terminal is gone: nobody looks
    if (written < 0) continue;
    text += written;
    bytes -= static_cast<size_t>(written);
  }
}

void Enter() {
  if (has_modes) {
    termios modes = modes_before;
    modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &modes);
  }
  WriteAll(kEnter, sizeof(kEnter) - 1);
}

void Leave() {
  WriteAll(kLeave, sizeof(kLeave) - 1);
  if (has_modes) tcsetattr(STDIN_FILENO, TCSANOW, &modes_before);
}

// Ends the process as the signal would have without us.
void OnEnd(int number) {
  Leave();
  signal(number, SIG_DFL);
  raise(number);
}

void OnStop(int /*number*/) {
  const int error = errno;
  Leave();
  raise(SIGSTOP);
  Enter();  // it goes on
  resized = 1;
  errno = error;
}

void OnResize(int /*number*/) { resized = 1; }

void Handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

bool Terminal::IsThere() {
  const char* kind = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && kind != nullptr && *kind != '\0' && std::strcmp(kind, "dumb") != 0;
}

Terminal::Terminal() {
  has_modes = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &modes_before) == 0;
  for (const int number : kEndSignals) Handle(number, OnEnd);
  Handle(SIGTSTP, OnStop);
  Handle(SIGWINCH, OnResize);
  sigset_t resize;  // taken in Wait alone, so that none is missed between a look at the size and the wait
  sigemptyset(&resize);
  sigaddset(&resize, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &resize, &mask_before);
  Enter();
}

Terminal::~Terminal() {
  Leave();
  for (const int number : kEndSignals) Handle(number, SIG_DFL);
  Handle(SIGTSTP, SIG_DFL);
  Handle(SIGWINCH, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
}

ScreenSize Terminal::size() const {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

void Terminal::Show(const std::vector<std::string>& lines) {
  std::string text = "\033[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += "\r\n";
    text += lines[i] + "\033[K";
  }
  text += "\033[J";
  WriteAll(text.data(), text.size());
}

Terminal::Event Terminal::Wait(uint32_t ms) {
  if (resized != 0) {
    resized = 0;
    return Event::kResized;
  }
  pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
  const timespec wait = {.tv_sec = ms / 1000, .tv_nsec = static_cast<long>(ms % 1000) * 1'000'000};
  const int ready = ppoll(&key, has_modes ? 1 : 0, &wait, &mask_before);
  if (ready < 0) {
    resized = 0;
    return Event::kResized;  // a signal
  }
  if (ready == 0) return Event::kTime;
  char keys[64];
  const ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));
  if (got <= 0) return Event::kQuit;  // nobody is there any more
  return std::memchr(keys, kQuitKey, static_cast<size_t>(got)) != nullptr ? Event::kQuit : Event::kResized;
}

}  // namespace incipit
