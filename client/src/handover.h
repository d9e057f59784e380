// How a caller waits for the client's thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "cache/seams/clock.h"

namespace incipit {

// One Signal, one Wait, on two threads. Shared by both through a shared_ptr: the waiter may be gone while the other is
// still waking it. What was written before Signal() is seen after Wait().
class Handover {
 public:
  void Signal() {
    done_.store(1, std::memory_order_release);
    done_.notify_one();
  }
  // Polls for about as long as being woken would take, then sleeps.
  void Wait(const Clock& clock) {
    constexpr int64_t kSpinNs = 5'000;
    const int64_t until_ns = clock.NowNs() + kSpinNs;
    while (done_.load(std::memory_order_acquire) == 0) {
      if (clock.NowNs() >= until_ns) done_.wait(0, std::memory_order_acquire);
    }
  }

 private:
  std::atomic<uint32_t> done_{0};
};

}  // namespace incipit
