// ARC (Megiddo and Modha, FAST 2003): recency and frequency lists whose shares follow hits in their histories.
#pragma once

#include "eviction/ghost_table.h"
#include "eviction/list_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. O(1). Histories hold as many blocks as the capacity.
class Arc final : public ListPolicy {
 public:
  explicit Arc(size_t capacity_blocks) : capacity_(capacity_blocks) {}

  std::string_view name() const override { return "arc"; }
  void SetCapacity(size_t blocks, size_t ghosts) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  uint64_t MemoryBytes() const override {
    return ListPolicy::MemoryBytes() + recent_ghosts_.MemoryBytes() + frequent_ghosts_.MemoryBytes();
  }

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  enum Queue : uint32_t { kRecent = 0, kFrequent = 1 };
  struct GhostMark {};
  BlockList& ListOf(BlockId id) { return at(id).queue == kRecent ? recent_ : frequent_; }
  void TrimGhosts();

  size_t capacity_;
  size_t most_ghosts_ = kMaxGhosts;
  size_t recent_target_ = 0;                               // `p` of the paper
  bool last_was_frequent_ = false;                         // the last insertion came back from the frequent history
  BlockList recent_, frequent_;                            // T1, T2
  GhostTable<GhostMark> recent_ghosts_, frequent_ghosts_;  // B1, B2
};

}  // namespace incipit
