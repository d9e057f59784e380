// Seam 1 of 5. Time enters the product here only, so that a test can run hours in a second and replay them exactly.
// Real: UringLoop. In memory: SimLoop, whose time moves only when nothing is left to do. Faulty: SimLoop with skew.
#pragma once

#include <cstdint>

namespace incipit {

inline constexpr int64_t kForeverNs = INT64_MAX;

// A callback at a time. Owned by the caller, who must keep it alive (or cancel it) while it is started.
class Timer {
 public:
  virtual void OnTimer() = 0;
  bool started() const { return started_; }

 protected:
  ~Timer() = default;

 private:
  friend class Loop;
  bool started_ = false;
  int64_t deadline_ns_ = 0;
  uint64_t tie_break_ = 0;
};

// One thread only, except NowNs and WallNs of the real form.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowNs() const = 0;   // monotonic
  virtual int64_t WallNs() const = 0;  // since the Unix epoch; may jump
};

}  // namespace incipit
