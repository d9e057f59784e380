// An array indexed by BlockId that grows by pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cache/base/types.h"

namespace incipit {

// Where a vector would hold up to twice what is needed and copy all of it to grow, this holds at most kPiece elements
// too many and copies none: no call waits for millions of blocks to move. Elements are made by T's default, and keep
// their address. One thread.
template <typename T>
class BlockArray {
 public:
  static constexpr size_t kPiece = 512;

  // Makes elements up to `id`.
  void Reach(BlockId id) {
    while (size() <= id) pieces_.push_back(std::make_unique<T[]>(kPiece));
  }
  // Elements that there are; all ids that were reached are below.
  size_t size() const { return pieces_.size() * kPiece; }
  T& operator[](BlockId id) { return pieces_[id / kPiece][id % kPiece]; }
  const T& operator[](BlockId id) const { return pieces_[id / kPiece][id % kPiece]; }
  uint64_t MemoryBytes() const { return size() * sizeof(T) + pieces_.capacity() * sizeof(pieces_[0]); }

 private:
  std::vector<std::unique_ptr<T[]>> pieces_;
};

}  // namespace incipit
