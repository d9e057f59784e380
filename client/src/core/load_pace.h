// How fast one shard has answered this client's loads of late: what a reader that may choose among copies goes by.
#pragma once

#include <cmath>
#include <cstdint>

namespace incipit {

// One thread. A moving average of the time that a byte takes, with all that was asked for before it. While nothing new
// is learned it halves every second, so that a shard that was slow is tried again.
class LoadPace {
 public:
  // A load of `bytes`, with which `inflight_bytes` (itself included) were on their way, took `elapsed_ns`.
  void OnLoad(uint64_t inflight_bytes, int64_t elapsed_ns, int64_t now_ns) {
    if (inflight_bytes == 0 || elapsed_ns <= 0) return;
    const double sample = static_cast<double>(elapsed_ns) / static_cast<double>(inflight_bytes);
    const double known = NsPerByte(now_ns);
    ns_per_byte_ = known == 0 ? sample : known + kWeight * (sample - known);
    learned_ns_ = now_ns;
  }
  double NsPerByte(int64_t now_ns) const {
    if (ns_per_byte_ == 0) return 0;
    return ns_per_byte_ * std::exp2(-static_cast<double>(now_ns - learned_ns_) / kHalfLifeNs);
  }
  // Of `bytes`, counted with what is on its way already. 0: nothing is known.
  double ExpectedNs(uint64_t bytes, int64_t now_ns) const { return NsPerByte(now_ns) * static_cast<double>(bytes); }

 private:
  static constexpr double kWeight = 0.4;
  static constexpr double kHalfLifeNs = 1e9;
  double ns_per_byte_ = 0;
  int64_t learned_ns_ = 0;
};

}  // namespace incipit
