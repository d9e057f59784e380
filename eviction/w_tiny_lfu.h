// W-TinyLFU (Einziger et al., ACM TOS 2017): a small LRU window, and a main part that only admits what was seen more
// often than what would have to go.
#pragma once

#include "eviction/frequency_sketch.h"
#include "eviction/list_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. The window takes a hundredth of the capacity; four fifths of the rest are
// protected. O(1).
class WTinyLfu final : public ListPolicy {
 public:
  explicit WTinyLfu(size_t capacity_blocks);

  std::string_view name() const override { return "w-tinylfu"; }
  void SetCapacity(size_t blocks, size_t ghosts) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  uint64_t MemoryBytes() const override { return ListPolicy::MemoryBytes() + sketch_.MemoryBytes(); }

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  enum Queue : uint32_t { kWindow = 0, kProbation = 1, kProtected = 2 };
  void Move(BlockId id, Queue queue);

  size_t capacity_ = 1;
  size_t window_blocks_ = 1;
  size_t protected_blocks_ = 0;
  BlockList lists_[3];      // by Queue
  size_t sketched_blocks_;  // that the sketch is made for
  FrequencySketch sketch_;
};

}  // namespace incipit
