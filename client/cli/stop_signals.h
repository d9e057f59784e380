// SIGTERM and SIGINT as something to wait for.
#pragma once

#include <csignal>

namespace incipit {

// Make it before any other thread starts: threads inherit that these signals do not interrupt them. One per process.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Sleeps until the first of them, and gives its number.
  int Wait();
  // From now on a further one ends the process at once, with status 128 + its number. Call once, after Wait().
  void ExitAtNext();

 private:
  sigset_t signals_;
};

}  // namespace incipit
