// Least frequently used first; of equals the one touched longest ago.
#pragma once

#include "absl/container/btree_map.h"
#include "eviction/ghost_table.h"
#include "eviction/list_policy.h"

namespace incipit {

struct LfuOptions {
  size_t kept_counts = 0;  // counts of so many evicted blocks are remembered and go on when the block comes back
};

// Contract, owner and thread: see Policy. O(log of the number of distinct counts), which are few. Never forgets: on
// workloads that move on it fills up with what was popular once.
class Lfu final : public ListPolicy {
 public:
  explicit Lfu(const LfuOptions& options) : options_(options) {}

  std::string_view name() const override { return options_.kept_counts > 0 ? "lfu-kept" : "lfu"; }
  // Kept counts follow, if there are any.
  void SetCapacity(size_t blocks, size_t ghosts) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t MemoryBytes() const override { return ListPolicy::MemoryBytes() + ghosts_.MemoryBytes(); }

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  void Unlink(BlockId id);

  LfuOptions options_;
  absl::btree_map<uint32_t, BlockList> by_count_;  // no list is empty
  GhostTable<uint32_t> ghosts_;
};

}  // namespace incipit
