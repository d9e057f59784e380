// What a reuse model has counted, by class of block and age.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace incipit {

// Plain data. Weights of blocks by their age when they were touched again, forgotten, or last seen waiting.
struct ReuseCounts {
  static constexpr int kAges = 52;
  using ByAge = std::array<float, kAges>;

  explicit ReuseCounts(size_t classes) : ended(classes), lost(classes), waiting(classes) {}
  std::vector<ByAge> ended, lost, waiting;  // by class
  uint64_t groups = 0, blocks = 0;          // that wait, unweighted
  size_t shards = 1;                        // that a request's blocks are spread over
};

}  // namespace incipit
