// What policies of linked lists have in common: a record of each held block, and the checks of the contract.
#pragma once

#include <cstdint>

#include "eviction/block_array.h"
#include "eviction/block_list.h"
#include "eviction/policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. Derived classes say what happens at each event. Memory: 32 bytes for each
// id, and what the derived class adds.
class ListPolicy : public Policy {
 public:
  void OnInsert(BlockId id, const Access& access) final;
  void OnAccess(BlockId id, const Access& access) final;
  void OnRemove(BlockId id) final;
  void Prefetch(BlockId id) const override;
  // The newer stamp; of one stamp the shallower.
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t StampOf(BlockId id) const final;
  size_t size() const final { return size_; }
  uint64_t MemoryBytes() const override { return blocks_.MemoryBytes() + links_.MemoryBytes(); }

 protected:
  struct Block {
    uint64_t stamp_ns = 0;
    uint64_t key = 0;
    uint32_t depth_tokens = 0;
    uint32_t count : 24 = 0;  // whatever the derived class counts; see kMaxCount
    uint32_t queue : 7 = 0;   // which of the derived class's lists
    uint32_t held : 1 = 0;
  };
  static_assert(sizeof(Block) == 24, "memory per block is promised above");
  static constexpr uint32_t kMaxCount = (1u << 24) - 1;

  virtual void Inserted(BlockId id, const Access& access) = 0;
  // Not called for a touch with the stamp that the block has already.
  virtual void Touched(BlockId id, const Access& access) = 0;
  virtual void Removing(BlockId id) = 0;

  Block& at(BlockId id) { return blocks_[id]; }
  const Block& at(BlockId id) const { return blocks_[id]; }
  BlockLinks& links() { return links_; }
  // The first evictable block of `list`, from its front; each look takes one of *candidates.
  BlockId FirstOf(const BlockList& list, absl::FunctionRef<bool(BlockId)> evictable, size_t* candidates) const;

 private:
  BlockArray<Block> blocks_;
  BlockLinks links_;
  size_t size_ = 0;
};

}  // namespace incipit
