// How long a loop polls before it sleeps, learned from how long it had to wait so far.
#pragma once

#include <algorithm>
#include <cstdint>

namespace incipit {

// A poll that finds nothing takes the core from whoever would produce the work, and a sleep costs two wake-ups of tens
// of microseconds each. So polling is worth it exactly where waits are short: the window grows while waits end within
// the maximum, sleeping or not, and shrinks to nothing as soon as they are longer. An idle loop does not poll at all.
// One thread.
class SpinWindow {
 public:
  explicit SpinWindow(int64_t max_ns) : max_ns_(max_ns), ns_(std::min(kFirstNs, max_ns)) {}

  int64_t ns() const { return ns_; }

  void OnWaited(int64_t waited_ns) {
    if (waited_ns > max_ns_) {
      ns_ = ns_ / 2 < kFirstNs ? 0 : ns_ / 2;
    } else if (waited_ns > ns_) {
      ns_ = std::clamp(2 * ns_, std::min(kFirstNs, max_ns_), max_ns_);
    }
  }

 private:
  static constexpr int64_t kFirstNs = 20'000;
  int64_t max_ns_;
  int64_t ns_;
};

}  // namespace incipit
