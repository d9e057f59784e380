// A Loop in virtual time: time stands still while there is work and jumps to the next timer when there is none.
// With it, tests run hours of protocol in milliseconds and the same seed gives the same run.
#pragma once

#include <algorithm>
#include <utility>

#include "cache/runtime/loop.h"
#include "cache/runtime/run_task.h"

namespace incipit {

class SimLoop : public Loop {
 public:
  explicit SimLoop(int64_t start_ns = 1'000'000'000) : now_ns_(start_ns) {}
  int64_t NowNs() const override { return now_ns_; }
  int64_t WallNs() const override { return now_ns_ + wall_offset_ns_; }
  void set_wall_offset_ns(int64_t offset_ns) { wall_offset_ns_ = offset_ns; }

  // One round: what is ready, else the next timer. False if nothing is left to do.
  bool RunOnce() {
    if (RunReady() > 0) return true;
    if (NextTimerNs() == kForeverNs) return false;
    now_ns_ = std::max(now_ns_, NextTimerNs());
    FireTimers(now_ns_);
    return true;
  }
  // Until nothing is left to do.
  void RunUntilIdle() {
    while (RunOnce()) {
    }
  }
  // Until `deadline_ns`; time ends there even if nothing happened.
  void RunUntil(int64_t deadline_ns) {
    while (RunReady() > 0 || NextTimerNs() <= deadline_ns) {
      if (HasReady()) continue;
      if (NextTimerNs() > deadline_ns) break;
      now_ns_ = std::max(now_ns_, NextTimerNs());
      FireTimers(now_ns_);
    }
    now_ns_ = std::max(now_ns_, deadline_ns);
  }
  // Runs until `task` ends and gives its value. Aborts if the loop has nothing to do before that (a deadlock).
  template <typename T>
  T Run(Task<T> task) {
    return DriveTask(this, std::move(task), [this] { return RunOnce(); });
  }

 private:
  int64_t now_ns_;
  int64_t wall_offset_ns_ = 1'700'000'000'000'000'000;
};

}  // namespace incipit
