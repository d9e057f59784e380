#include "eviction/gdsf.h"

#include <algorithm>

namespace incipit {

BlockId Gdsf::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  for (const auto& [priority, id] : order_) {
    if (max_candidates == 0) break;
    --max_candidates;
    if (evictable(id)) return id;
  }
  return kNoBlock;
}

uint64_t Gdsf::MemoryBytes() const {
  // A B-tree's nodes are at least half full.
  return ListPolicy::MemoryBytes() + priorities_.capacity() * sizeof(double) +
         2 * order_.size() * sizeof(std::pair<double, BlockId>);
}

void Gdsf::Enter(BlockId id, const Access& access) {
  at(id).count = std::min(at(id).count + 1u, kMaxCount);
  const double size = std::max<double>(1, access.bytes);
  const CostModel& cost = access.cost != nullptr ? *access.cost : cost_;
  priorities_[id] = clock_ + at(id).count * cost.RelativeAt(access.depth_tokens) / size;
  order_.insert({priorities_[id], id});
}

void Gdsf::Inserted(BlockId id, const Access& access) {
  if (id >= priorities_.size()) priorities_.resize(size_t{id} + 1);
  Enter(id, access);
}

void Gdsf::Touched(BlockId id, const Access& access) {
  order_.erase({priorities_[id], id});
  Enter(id, access);
}

void Gdsf::Removing(BlockId id) {
  // What goes from the low end moves the clock on; other removals do not.
  if (order_.begin()->second == id) clock_ = priorities_[id];
  order_.erase({priorities_[id], id});
}

}  // namespace incipit
