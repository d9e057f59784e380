// Latencies in buckets that double from 1 us to 16 s. One thread writes; copies are read elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace incipit {

struct LatencyHistogram {
  static constexpr int kBuckets = 26;  // bucket i counts latencies in [2^(i-1), 2^i) us; the last one all above
  std::array<uint64_t, kBuckets> counts{};
  uint64_t count = 0;
  uint64_t sum_us = 0;

  void Record(int64_t latency_ns) {
    const uint64_t us = latency_ns <= 0 ? 0 : static_cast<uint64_t>(latency_ns) / 1000;
    const int bucket = std::min<int>(std::bit_width(us), kBuckets - 1);
    ++counts[bucket];
    ++count;
    sum_us += us;
  }
  static uint64_t UpperBoundUs(int bucket) { return uint64_t{1} << bucket; }
};

}  // namespace incipit
