#include "eviction/w_tiny_lfu.h"

#include <algorithm>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr size_t kWindowShare = 100;  // one part in so many

}  // namespace

WTinyLfu::WTinyLfu(size_t capacity_blocks) : sketched_blocks_(capacity_blocks), sketch_(capacity_blocks) {
  SetCapacity(capacity_blocks, kMaxGhosts);
}

// The sketch, which stands for a history, starts anew when it has become much too small.
void WTinyLfu::SetCapacity(size_t blocks, size_t ghosts) {
  capacity_ = blocks;
  window_blocks_ = std::max<size_t>(1, blocks / kWindowShare);
  protected_blocks_ = (blocks - std::min(blocks, window_blocks_)) * 4 / 5;
  const size_t wanted = std::min(blocks, ghosts);
  if (wanted <= 2 * sketched_blocks_) return;
  sketched_blocks_ = wanted;
  sketch_ = FrequencySketch(wanted);
}

BlockId WTinyLfu::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  // What the window pushes out must have been seen more often than what the main part would lose for it.
  while (lists_[kWindow].count > window_blocks_ && max_candidates > 0) {
    const BlockId candidate = lists_[kWindow].front;
    size_t looks = max_candidates;
    BlockId incumbent = FirstOf(lists_[kProbation], evictable, &looks);
    if (incumbent == kNoBlock) incumbent = FirstOf(lists_[kProtected], evictable, &looks);
    const bool wins =
        incumbent == kNoBlock || sketch_.Estimate(at(candidate).key) > sketch_.Estimate(at(incumbent).key);
    if (!wins && evictable(candidate)) return candidate;
    Move(candidate, kProbation);
    if (incumbent != kNoBlock) return incumbent;
    --max_candidates;
  }
  for (const Queue queue : {kProbation, kProtected, kWindow}) {
    const BlockId id = FirstOf(lists_[queue], evictable, &max_candidates);
    if (id != kNoBlock) return id;
  }
  return kNoBlock;
}

void WTinyLfu::Move(BlockId id, Queue queue) {
  links().Erase(&lists_[at(id).queue], id);
  at(id).queue = queue;
  links().PushBack(&lists_[queue], id);
}

void WTinyLfu::Inserted(BlockId id, const Access& access) {
  sketch_.Add(access.key);
  at(id).queue = kWindow;
  links().PushBack(&lists_[kWindow], id);
  // As long as there is room, what the window pushes out need not compete.
  if (size() <= capacity_ && lists_[kWindow].count > window_blocks_) Move(lists_[kWindow].front, kProbation);
}

void WTinyLfu::Touched(BlockId id, const Access&) {
  sketch_.Add(at(id).key);
  Move(id, at(id).queue == kWindow ? kWindow : kProtected);
  while (lists_[kProtected].count > protected_blocks_) Move(lists_[kProtected].front, kProbation);
}

void WTinyLfu::Removing(BlockId id) { links().Erase(&lists_[at(id).queue], id); }

}  // namespace incipit
