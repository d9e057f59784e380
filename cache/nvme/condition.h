// "Something changed, look again": wakes every task that waits for a state it checks itself.
#pragma once

#include "cache/runtime/sync.h"

namespace incipit {

// `while (!state) co_await condition.Wait();` loses no wake-up, as long as nothing is awaited between the check and
// the wait. One thread only. REQUIRES: no waiters at destruction.
class Condition {
 public:
  explicit Condition(Loop* loop) : event_(loop) {}
  void NotifyAll() {
    event_.Set();
    event_.Clear();
  }
  Event::Awaiter Wait() { return event_.Wait(); }
  Event::Awaiter WaitUntil(int64_t deadline_ns) { return event_.WaitUntil(deadline_ns); }

 private:
  Event event_;
};

}  // namespace incipit
