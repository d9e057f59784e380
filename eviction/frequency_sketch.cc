#include "eviction/frequency_sketch.h"

#include <algorithm>
#include <bit>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr uint64_t kSamplesPerKey = 10;  // counts are halved after so many additions for each expected key
constexpr size_t kMostCounters = size_t{1} << 27;

}  // namespace

FrequencySketch::FrequencySketch(size_t expected_keys)
    : counters_(std::min(kMostCounters, std::bit_ceil(std::max<size_t>(64, expected_keys)))),
      sample_size_(kSamplesPerKey * std::max<uint64_t>(1, expected_keys)) {}

size_t FrequencySketch::IndexOf(uint64_t hash, int row) const {
  // Two independent halves make as many rows as needed (Kirsch and Mitzenmacher).
  const uint64_t step = (hash >> 32) | 1;
  return (hash + static_cast<uint64_t>(row) * step) & (counters_.size() - 1);
}

void FrequencySketch::Add(uint64_t key) {
  const uint64_t hash = MixKey(key);
  const uint32_t least = Estimate(key);
  if (least < kMostCount) {
    for (int row = 0; row < kRows; ++row) {
      uint8_t& counter = counters_[IndexOf(hash, row)];
      if (counter == least) ++counter;
    }
  }
  if (++added_ < sample_size_) return;
  for (uint8_t& counter : counters_) counter /= 2;
  added_ /= 2;
}

uint32_t FrequencySketch::Estimate(uint64_t key) const {
  const uint64_t hash = MixKey(key);
  uint8_t least = kMostCount;
  for (int row = 0; row < kRows; ++row) least = std::min(least, counters_[IndexOf(hash, row)]);
  return least;
}

}  // namespace incipit
