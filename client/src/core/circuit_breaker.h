// Decides when a shard is not worth asking: after some failures in a row its calls miss at once, and only one probe (a
// new connection with its handshake) at a time is tried. Also spaces the attempts to connect.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cache/seams/random.h"

namespace incipit {

// Pure state, one thread. A failure is a connection that could not be made, one that was lost before it answered
// anything, or a request to which the shard stayed silent. As many as open it is a silence of dead_silence_ns: callers
// would wait for all of their deadlines otherwise, one after the other.
class CircuitBreaker {
 public:
  struct Options {
    uint32_t failures_to_open = 3;
    int64_t cooldown_ns = 1'000'000'000;
    int64_t dead_silence_ns = 1'000'000'000;
    int64_t pause_min_ns = 10'000'000;
    int64_t pause_max_ns = 2'000'000'000;
  };
  explicit CircuitBreaker(const Options& options) : options_(options) {}

  bool open() const { return failures_ >= options_.failures_to_open; }
  uint32_t failures() const { return failures_; }

  void OnReply() { failures_ = 0; }
  // The probe succeeded: calls are let through, but one more failure opens it again.
  void OnConnected() {
    if (open()) failures_ = options_.failures_to_open - 1;
  }
  // True if this failure opened it.
  bool OnFailure() {
    const bool was_open = open();
    if (failures_ < 64) ++failures_;
    return open() && !was_open;
  }
  // A failure after so long a silence; the same result.
  bool OnSilence(int64_t silent_ns) {
    if (silent_ns >= options_.dead_silence_ns && !open()) failures_ = options_.failures_to_open - 1;
    return OnFailure();
  }
  // Pause before the next attempt to connect: none after a connection that had worked, then doubling, at least the
  // cool-down while open; a random half of it is left out, so that many clients do not come back at once.
  int64_t PauseNs(Random* random) const {
    if (failures_ == 0) return 0;
    const uint32_t doublings = std::min(failures_ - 1, 30u);
    int64_t pause_ns = options_.pause_max_ns;
    if (options_.pause_min_ns <= (options_.pause_max_ns >> doublings)) pause_ns = options_.pause_min_ns << doublings;
    if (open()) pause_ns = std::max(pause_ns, options_.cooldown_ns);
    return pause_ns - static_cast<int64_t>(random->Below(static_cast<uint64_t>(pause_ns) / 2 + 1));
  }

 private:
  Options options_;
  uint32_t failures_ = 0;
};

}  // namespace incipit
