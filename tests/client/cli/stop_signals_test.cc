#include "client/cli/stop_signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace incipit {
namespace {

// Runs `body` in a child, because signals concern the whole process; gives its wait status.
int StatusOfChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(StopSignalsTest, SignalIsWaitedForInsteadOfKilling) {
  const int status = StatusOfChild([] {
    StopSignals signals;
    kill(getpid(), SIGTERM);
    return signals.Wait() == SIGTERM ? 7 : 8;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(StopSignalsTest, SecondSignalEndsTheProcessAtOnce) {
  const int status = StatusOfChild([] {
    StopSignals signals;
    kill(getpid(), SIGINT);
    signals.Wait();
    signals.ExitAtNext();
    kill(getpid(), SIGINT);
    while (true) pause();
    return 0;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

}  // namespace
}  // namespace incipit
