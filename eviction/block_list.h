// Doubly linked lists of blocks, in arrays indexed by BlockId: a block is in one list of one BlockLinks at most.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cache/base/types.h"
#include "eviction/block_array.h"

namespace incipit {

// The front is what a policy looks at first when it evicts.
struct BlockList {
  BlockId front = kNoBlock;
  BlockId back = kNoBlock;
  uint32_t count = 0;
};

// One thread. Every call is O(1); none checks that `id` is in the list it names: that is the caller's business.
class BlockLinks {
 public:
  void Reserve(BlockId id) { links_.Reach(id); }

  void PushBack(BlockList* list, BlockId id) {
    links_[id] = {list->back, kNoBlock};
    (list->back == kNoBlock ? list->front : links_[list->back].next) = id;
    list->back = id;
    ++list->count;
  }

  void Erase(BlockList* list, BlockId id) {
    const Link link = links_[id];
    (link.previous == kNoBlock ? list->front : links_[link.previous].next) = link.next;
    (link.next == kNoBlock ? list->back : links_[link.next].previous) = link.previous;
    --list->count;
  }

  // Towards the back.
  BlockId Next(BlockId id) const { return links_[id].next; }
  uint64_t MemoryBytes() const { return links_.MemoryBytes(); }

 private:
  struct Link {
    BlockId previous = kNoBlock, next = kNoBlock;
  };
  BlockArray<Link> links_;
};

}  // namespace incipit
