// How much a shard may still write to NVMe: an allowance of bytes per day that fills up evenly.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace incipit {

// Holds an hour's allowance at most, or kLeastBytes, and is full at first. What is spent beyond it is owed. Times are
// the loop's. One thread.
class WriteBudget {
 public:
  static constexpr uint64_t kLeastBytes = 1 << 20;

  // 0 bytes per day: no limit.
  WriteBudget(uint64_t bytes_per_day, int64_t now_ns)
      : bytes_per_ns_(static_cast<double>(bytes_per_day) / kNsPerDay),
        most_bytes_(static_cast<double>(std::max(kLeastBytes, bytes_per_day / 24))),
        bytes_(most_bytes_),
        at_ns_(now_ns) {}

  bool limited() const { return bytes_per_ns_ > 0; }
  void Spend(uint64_t bytes) { bytes_ -= static_cast<double>(bytes); }
  // How full it is, from 0 to 1; 1 without a limit.
  double Level(int64_t now_ns) {
    if (!limited()) return 1;
    bytes_ = std::min(most_bytes_, bytes_ + bytes_per_ns_ * static_cast<double>(std::max<int64_t>(0, now_ns - at_ns_)));
    at_ns_ = now_ns;
    return std::max(0.0, bytes_ / most_bytes_);
  }

 private:
  static constexpr double kNsPerDay = 86'400e9;
  double bytes_per_ns_, most_bytes_, bytes_;
  int64_t at_ns_;
};

// Requests of which a block was written: what came before it in the prompt is worth its write too, or that block was
// written for nothing. Of the last kRequests, by stamp. One thread.
class WrittenRequests {
 public:
  static constexpr size_t kRequests = 256;

  void Note(uint64_t stamp_ns, uint32_t depth_tokens) { slots_[IndexOf(stamp_ns)] = {stamp_ns, depth_tokens}; }
  bool HasDeeper(uint64_t stamp_ns, uint32_t depth_tokens) const {
    const Slot& slot = slots_[IndexOf(stamp_ns)];
    return slot.stamp_ns == stamp_ns && slot.depth_tokens > depth_tokens;
  }

 private:
  struct Slot {
    uint64_t stamp_ns = 0;
    uint32_t depth_tokens = 0;
  };
  static size_t IndexOf(uint64_t stamp_ns) { return (stamp_ns * 0x9e3779b97f4a7c15u) >> 56; }
  static_assert(kRequests == 256, "IndexOf takes 8 bits");

  std::array<Slot, kRequests> slots_;
};

}  // namespace incipit
