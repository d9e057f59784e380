#include "eviction/sieve.h"

namespace incipit {

// A block's count is 1 if it was touched since the hand last passed.
BlockId Sieve::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  if (list_.count == 0) return kNoBlock;
  // Two rounds find what there is: the first clears all marks.
  for (uint64_t looks = 2 * uint64_t{list_.count}; looks > 0 && max_candidates > 0; --looks) {
    if (hand_ == kNoBlock) hand_ = list_.front;
    if (at(hand_).count == 0) {
      if (evictable(hand_)) return hand_;
      --max_candidates;
    } else {
      at(hand_).count = 0;
    }
    hand_ = links().Next(hand_);
  }
  return kNoBlock;
}

void Sieve::Inserted(BlockId id, const Access&) { links().PushBack(&list_, id); }

void Sieve::Touched(BlockId id, const Access&) { at(id).count = 1; }

void Sieve::Removing(BlockId id) {
  if (hand_ == id) hand_ = links().Next(id);
  links().Erase(&list_, id);
}

}  // namespace incipit
