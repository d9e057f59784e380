// What a reuse model has counted, by class of block and age.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace incipit {

// Weights of blocks by their age when they were touched again, forgotten, or last seen waiting. Of thousands of classes
// that there may be some hundred occur: only these take memory, 600 bytes each.
class ReuseCounts {
 public:
  static constexpr int kAges = 52;
  using ByAge = std::array<float, kAges>;
  struct Row {
    uint16_t klass = 0;
    ByAge ended{}, lost{}, waiting{};
  };

  // REQUIRES: classes < 65536.
  explicit ReuseCounts(size_t classes) : row_of_(classes) {}

  // Made if it is not there. A reference holds until the next call.
  Row& Of(size_t klass) {
    if (row_of_[klass] == kNoRow) {
      rows_.push_back({.klass = static_cast<uint16_t>(klass)});
      row_of_[klass] = static_cast<uint16_t>(rows_.size());
    }
    return rows_[row_of_[klass] - 1];
  }
  std::span<Row> rows() { return rows_; }
  std::span<const Row> rows() const { return rows_; }
  uint64_t MemoryBytes() const { return rows_.capacity() * sizeof(Row) + row_of_.capacity() * sizeof(uint16_t); }

  uint64_t groups = 0, blocks = 0;  // that wait, unweighted
  size_t shards = 1;                // that a request's blocks are spread over

 private:
  static constexpr uint16_t kNoRow = 0;
  std::vector<Row> rows_;
  std::vector<uint16_t> row_of_;  // by class: one more than its place
};

}  // namespace incipit
