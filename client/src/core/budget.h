// A bounded amount of something (requests, bytes) that calls share, with waiting up to a deadline.
#pragma once

#include <cstdint>

#include "cache/base/check.h"
#include "cache/runtime/sync.h"

namespace incipit {

// One thread: the loop's. One user is always let in, however much it asks for, so that nothing is too large to pass.
class Budget {
 public:
  Budget(Loop* loop, uint64_t limit) : limit_(limit), changed_(loop) {}

  bool TryAcquire(uint64_t amount) {
    if (used_ != 0 && (used_ > limit_ || amount > limit_ - used_)) return false;
    used_ += amount;
    return true;
  }
  // False if the deadline came first. Waiters are not served in order.
  Task<bool> Acquire(uint64_t amount, int64_t deadline_ns) {
    while (!TryAcquire(amount)) {
      changed_.Clear();
      const bool changed = co_await changed_.WaitUntil(deadline_ns);
      if (!changed) co_return false;
    }
    co_return true;
  }
  void Release(uint64_t amount) {
    INCIPIT_CHECK(amount <= used_, "released more than was acquired");
    used_ -= amount;
    changed_.Set();
  }
  void set_limit(uint64_t limit) {
    limit_ = limit;
    changed_.Set();
  }
  uint64_t used() const { return used_; }

 private:
  uint64_t limit_;
  uint64_t used_ = 0;
  Event changed_;
};

}  // namespace incipit
