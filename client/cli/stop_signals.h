// SIGTERM and SIGINT, and SIGHUP where it means to read files again, as something to wait for.
#pragma once

#include <csignal>

namespace incipit {

// Make it before any other thread starts: threads inherit that these signals do not interrupt them. One per process.
class StopSignals {
 public:
  // `with_reload`: Wait() gives SIGHUP too, which otherwise ends the process as ever.
  explicit StopSignals(bool with_reload = false);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Sleeps until the first of them, and gives its number.
  int Wait();
  // From now on a further one (SIGHUP: is ignored) ends the process at once, with status 128 + its number. Call once,
  // after Wait().
  void ExitAtNext();

 private:
  sigset_t signals_;
};

}  // namespace incipit
