// How often keys were seen of late, in a few bits each: a count-min sketch of four rows that is halved now and then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace incipit {

// One thread. Counts stop at 15. Two bytes for each expected key, no more.
class FrequencySketch {
 public:
  explicit FrequencySketch(size_t expected_keys);
  void Add(uint64_t key);
  uint32_t Estimate(uint64_t key) const;
  uint64_t MemoryBytes() const { return counters_.capacity(); }

 private:
  static constexpr int kRows = 4;
  static constexpr uint8_t kMostCount = 15;
  size_t IndexOf(uint64_t hash, int row) const;

  std::vector<uint8_t> counters_;  // a power of two
  uint64_t sample_size_;
  uint64_t added_ = 0;
};

}  // namespace incipit
