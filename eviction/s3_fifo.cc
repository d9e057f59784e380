#include "eviction/s3_fifo.h"

#include <algorithm>

namespace incipit {
namespace {

constexpr size_t kSmallShare = 10;  // one part in so many
constexpr uint32_t kMostTouches = 3;

}  // namespace

S3Fifo::S3Fifo(const S3FifoOptions& options) : threshold_(options.threshold) {
  SetCapacity(options.capacity_blocks, kMaxGhosts);
}

void S3Fifo::SetCapacity(size_t blocks, size_t ghosts) {
  small_blocks_ = std::max<size_t>(1, blocks / kSmallShare);
  history_blocks_ = std::min(ghosts, blocks - std::min(blocks, small_blocks_));
}

BlockId S3Fifo::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  // Each move clears a count or lowers it, and no block's is over kMostTouches. What may not go rotates.
  for (uint64_t looks = (kMostTouches + 2) * uint64_t{size()}; looks > 0 && max_candidates > 0; --looks) {
    const bool from_small = small_.count >= small_blocks_ || main_.count == 0;
    const BlockId id = from_small ? small_.front : main_.front;
    if (id == kNoBlock) return kNoBlock;
    if (from_small && at(id).count > threshold_) {
      MoveToMain(id, 0);
    } else if (!from_small && at(id).count > 0) {
      MoveToMain(id, at(id).count - 1u);
    } else if (evictable(id)) {
      return id;
    } else {
      --max_candidates;
      links().Erase(&ListOf(id), id);
      links().PushBack(&ListOf(id), id);
    }
  }
  return kNoBlock;
}

void S3Fifo::MoveToMain(BlockId id, uint32_t count) {
  links().Erase(&ListOf(id), id);
  at(id).queue = kMain;
  at(id).count = count;
  links().PushBack(&main_, id);
}

void S3Fifo::Inserted(BlockId id, const Access& access) {
  const bool returns = access.key != 0 && ghosts_.Take(access.key).has_value();
  at(id).queue = returns ? kMain : kSmall;
  links().PushBack(&ListOf(id), id);
}

void S3Fifo::Touched(BlockId id, const Access&) { at(id).count = std::min(at(id).count + 1u, kMostTouches); }

void S3Fifo::Removing(BlockId id) {
  links().Erase(&ListOf(id), id);
  if (at(id).queue != kSmall || at(id).key == 0) return;
  ghosts_.Add(at(id).key, {});
  while (ghosts_.size() > history_blocks_) ghosts_.DropOldest();
}

}  // namespace incipit
