// The single-threaded engine under every task: a queue of coroutines to resume and a set of timers.
// Real form: UringLoop (io_uring). Test form: SimLoop (virtual time). Everything here is for the loop's thread only.
#pragma once

#include <coroutine>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "cache/seams/clock.h"

namespace incipit {

class Loop : public Clock {
 public:
  // Resumes `handle` later in this thread, in order of posting. Never resumes inside the call.
  void Post(std::coroutine_handle<> handle) { ready_.push_back(handle); }

  // Fires `timer` once at or soon after `deadline_ns` (NowNs scale); restarts it if already started.
  void StartTimer(Timer* timer, int64_t deadline_ns);
  void CancelTimer(Timer* timer);

  // Makes the round in progress (or the next one) return without sleeping: for whoever drives the loop and has just
  // got what it waited for.
  void Interrupt() { interrupted_ = true; }

 protected:
  bool TakeInterrupt() { return std::exchange(interrupted_, false); }
  bool interrupted() const { return interrupted_; }
  // Resumes everything posted so far, not what that posts in turn. Gives the number resumed.
  size_t RunReady();
  // Fires what is due at `now_ns`.
  void FireTimers(int64_t now_ns);
  int64_t NextTimerNs() const { return timers_.empty() ? kForeverNs : timers_.begin()->deadline_ns; }
  bool HasReady() const { return !ready_.empty(); }

 private:
  struct Entry {
    int64_t deadline_ns;
    uint64_t tie_break;
    Timer* timer;
    bool operator<(const Entry& other) const {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns : tie_break < other.tie_break;
    }
  };
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  absl::btree_set<Entry> timers_;
  uint64_t next_tie_break_ = 0;
  bool interrupted_ = false;
};

}  // namespace incipit
