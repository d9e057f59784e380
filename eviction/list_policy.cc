#include "eviction/list_policy.h"

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {

void ListPolicy::OnInsert(BlockId id, const Access& access) {
  INCIPIT_CHECK(id != kNoBlock, "insert of no block");
  blocks_.Reach(id);
  links_.Reserve(id);
  Block& block = blocks_[id];
  INCIPIT_CHECK(block.held == 0, absl::StrCat("insert of block ", id, ", which is already held").c_str());
  block = {.stamp_ns = access.stamp_ns, .key = access.key, .depth_tokens = access.depth_tokens};
  block.held = 1;
  ++size_;
  Inserted(id, access);
}

void ListPolicy::OnAccess(BlockId id, const Access& access) {
  INCIPIT_CHECK(id < blocks_.size() && blocks_[id].held != 0,
                absl::StrCat("access to block ", id, ", which is not held").c_str());
  Block& block = blocks_[id];
  if (access.stamp_ns <= block.stamp_ns) return;
  block.stamp_ns = access.stamp_ns;
  block.depth_tokens = access.depth_tokens;
  Touched(id, access);
}

void ListPolicy::OnRemove(BlockId id) {
  INCIPIT_CHECK(id < blocks_.size() && blocks_[id].held != 0,
                absl::StrCat("removal of block ", id, ", which is not held").c_str());
  Removing(id);
  blocks_[id].held = 0;
  --size_;
}

void ListPolicy::Prefetch(BlockId id) const {
  if (id < blocks_.size()) __builtin_prefetch(&blocks_[id], 1);
}

bool ListPolicy::Outranks(BlockId a, BlockId b) const {
  const Block& left = blocks_[a];
  const Block& right = blocks_[b];
  return left.stamp_ns != right.stamp_ns ? left.stamp_ns > right.stamp_ns : left.depth_tokens < right.depth_tokens;
}

uint64_t ListPolicy::StampOf(BlockId id) const {
  INCIPIT_CHECK(id < blocks_.size() && blocks_[id].held != 0,
                absl::StrCat("stamp of block ", id, ", which is not held").c_str());
  return blocks_[id].stamp_ns;
}

BlockId ListPolicy::FirstOf(const BlockList& list, absl::FunctionRef<bool(BlockId)> evictable,
                            size_t* candidates) const {
  for (BlockId id = list.front; id != kNoBlock && *candidates > 0; id = links_.Next(id)) {
    --*candidates;
    if (evictable(id)) return id;
  }
  return kNoBlock;
}

}  // namespace incipit
