// Elapsed time for measurements.
#pragma once

#include <time.h>

#include <cstdint>

namespace incipit::bench {

inline int64_t MonotonicNs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Starts when made.
class Stopwatch {
 public:
  Stopwatch() : started_ns_(MonotonicNs()) {}
  int64_t ElapsedNs() const { return MonotonicNs() - started_ns_; }
  double Seconds() const { return static_cast<double>(ElapsedNs()) / 1e9; }
  double Microseconds() const { return static_cast<double>(ElapsedNs()) / 1e3; }

 private:
  int64_t started_ns_;
};

}  // namespace incipit::bench
