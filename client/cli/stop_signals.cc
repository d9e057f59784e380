#include "client/cli/stop_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <thread>

namespace incipit {
namespace {

constexpr int kExitBySignal = 128;

int WaitFor(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

}  // namespace

StopSignals::StopSignals(bool with_reload) {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  if (with_reload) sigaddset(&signals_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

int StopSignals::Wait() { return WaitFor(signals_); }

void StopSignals::ExitAtNext() {
  std::thread([signals = signals_] {
    int signal = SIGHUP;
    while (signal == SIGHUP) signal = WaitFor(signals);
    _exit(kExitBySignal + signal);
  }).detach();
}

}  // namespace incipit
