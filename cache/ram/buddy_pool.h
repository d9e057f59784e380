// The free memory of an arena as power-of-two blocks that split in halves and merge again with their other half.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cache/ram/extent.h"

namespace incipit {

// Borrows the memory, which must outlive it and be aligned to the largest block. One thread only.
//
// Costs 2 bits per unit outside the memory (0.2 %): one per possible block and order, set while that block is free.
// The lists' links lie inside the free blocks themselves, except those of the largest order, so that memory that was
// never handed out is never touched. Each operation is at most kMaxExtentOrder list operations.
//
// Invariants: (1) a block is on the list of its order if and only if its bit is set; (2) no free block lies within
// another; (3) the two halves of one block are never both free. Damage to them, a double free included, ends the
// process: it means that somebody else's data is about to be overwritten.
class BuddyPool {
 public:
  // All memory is free. `bytes` is a multiple of the largest block.
  BuddyPool(uint8_t* base, uint64_t bytes);
  BuddyPool(const BuddyPool&) = delete;
  BuddyPool& operator=(const BuddyPool&) = delete;
  ~BuddyPool();

  // The smallest free block of at least `order`, split down to it; if there is none, the largest free block.
  // REQUIRES: free_units() > 0.
  Extent TakeAtMost(int order);
  // REQUIRES: `extent` came from TakeAtMost, or is half of such a block, and is not free.
  void Put(Extent extent);

  uint64_t free_units() const { return free_units_; }
  // Free blocks of one order; walks the list. For tests and statistics.
  uint64_t CountFree(int order) const;

 private:
  struct Links {
    uint32_t previous;
    uint32_t next;
  };
  static constexpr int kOrders = kMaxExtentOrder + 1;

  bool IsFree(uint32_t unit, int order) const;
  void SetFree(uint32_t unit, int order, bool free);
  Links Read(uint32_t unit, int order) const;
  void Write(uint32_t unit, int order, Links links);
  void Push(uint32_t unit, int order);
  void Unlink(uint32_t unit, int order);
  void CheckAllocated(Extent extent) const;

  uint8_t* base_;
  uint64_t units_;
  uint64_t free_units_ = 0;
  uint32_t orders_with_free_ = 0;  // bit k: the list of order k is not empty
  std::array<uint32_t, kOrders> heads_;
  std::array<std::vector<uint64_t>, kOrders> free_bits_;
  std::vector<Links> largest_links_;
};

}  // namespace incipit
