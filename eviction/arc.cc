#include "eviction/arc.h"

#include <algorithm>

namespace incipit {

BlockId Arc::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  const bool recent = recent_.count > recent_target_ || frequent_.count == 0 ||
                      (last_was_frequent_ && recent_.count > 0 && recent_.count == recent_target_);
  const BlockId id = FirstOf(recent ? recent_ : frequent_, evictable, &max_candidates);
  return id != kNoBlock ? id : FirstOf(recent ? frequent_ : recent_, evictable, &max_candidates);
}

// Histories are as long as the paper's, whatever more was allowed.
void Arc::SetCapacity(size_t blocks, size_t ghosts) {
  capacity_ = blocks;
  most_ghosts_ = ghosts;
  recent_target_ = std::min(recent_target_, capacity_);
  TrimGhosts();
}

void Arc::Inserted(BlockId id, const Access& access) {
  last_was_frequent_ = false;
  const size_t recent_ghosts = recent_ghosts_.size();
  const size_t frequent_ghosts = frequent_ghosts_.size();
  at(id).queue = kFrequent;
  if (access.key != 0 && recent_ghosts_.Take(access.key).has_value()) {
    recent_target_ = std::min(capacity_, recent_target_ + std::max<size_t>(1, frequent_ghosts / recent_ghosts));
  } else if (access.key != 0 && frequent_ghosts_.Take(access.key).has_value()) {
    const size_t step = std::max<size_t>(1, recent_ghosts / frequent_ghosts);
    recent_target_ -= std::min(recent_target_, step);
    last_was_frequent_ = true;
  } else {
    at(id).queue = kRecent;
  }
  links().PushBack(&ListOf(id), id);
}

void Arc::Touched(BlockId id, const Access&) {
  links().Erase(&ListOf(id), id);
  at(id).queue = kFrequent;
  links().PushBack(&frequent_, id);
}

void Arc::Removing(BlockId id) {
  links().Erase(&ListOf(id), id);
  if (at(id).key == 0) return;
  (at(id).queue == kRecent ? recent_ghosts_ : frequent_ghosts_).Add(at(id).key, {});
  TrimGhosts();
}

void Arc::TrimGhosts() {
  while (recent_ghosts_.size() > 0 && recent_.count + recent_ghosts_.size() > capacity_) recent_ghosts_.DropOldest();
  while (frequent_ghosts_.size() > 0 &&
         recent_.count + frequent_.count + recent_ghosts_.size() + frequent_ghosts_.size() > 2 * capacity_) {
    frequent_ghosts_.DropOldest();
  }
  while (recent_ghosts_.size() + frequent_ghosts_.size() > most_ghosts_) {
    (recent_ghosts_.size() > frequent_ghosts_.size() ? recent_ghosts_ : frequent_ghosts_).DropOldest();
  }
}

}  // namespace incipit
