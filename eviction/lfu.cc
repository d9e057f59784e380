#include "eviction/lfu.h"

#include <algorithm>

namespace incipit {

void Lfu::SetCapacity(size_t blocks, size_t ghosts) {
  if (options_.kept_counts > 0) options_.kept_counts = GhostsFor(blocks, ghosts);
}

BlockId Lfu::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  for (const auto& [count, list] : by_count_) {
    const BlockId id = FirstOf(list, evictable, &max_candidates);
    if (id != kNoBlock || max_candidates == 0) return id;
  }
  return kNoBlock;
}

bool Lfu::Outranks(BlockId a, BlockId b) const {
  return at(a).count != at(b).count ? at(a).count > at(b).count : ListPolicy::Outranks(a, b);
}

void Lfu::Inserted(BlockId id, const Access& access) {
  const uint32_t before = access.key != 0 ? ghosts_.Take(access.key).value_or(0) : 0;
  at(id).count = std::min(before + 1, kMaxCount);
  links().PushBack(&by_count_[at(id).count], id);
}

void Lfu::Touched(BlockId id, const Access&) {
  Unlink(id);
  at(id).count = std::min(at(id).count + 1u, kMaxCount);
  links().PushBack(&by_count_[at(id).count], id);
}

void Lfu::Removing(BlockId id) {
  Unlink(id);
  if (options_.kept_counts == 0 || at(id).key == 0) return;
  ghosts_.Add(at(id).key, at(id).count);
  while (ghosts_.size() > options_.kept_counts) ghosts_.DropOldest();
}

void Lfu::Unlink(BlockId id) {
  const auto found = by_count_.find(at(id).count);
  links().Erase(&found->second, id);
  if (found->second.count == 0) by_count_.erase(found);
}

}  // namespace incipit
