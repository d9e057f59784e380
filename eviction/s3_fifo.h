// S3-FIFO (Yang et al., SOSP 2023): a small queue that new blocks must outlive, a main queue, and a history.
#pragma once

#include "eviction/ghost_table.h"
#include "eviction/list_policy.h"

namespace incipit {

struct S3FifoOptions {
  size_t capacity_blocks = 1;
  // Blocks touched more often than this while in the small queue move to the main one. The paper's is 1.
  uint32_t threshold = 1;
};

// Contract, owner and thread: see Policy. The small queue takes a tenth of the capacity; the history is as long as the
// main queue. Victim is O(1) amortized: each touch, at most three of them counted, lets a block pass once.
class S3Fifo final : public ListPolicy {
 public:
  explicit S3Fifo(const S3FifoOptions& options);

  std::string_view name() const override { return "s3-fifo"; }
  void SetCapacity(size_t blocks, size_t ghosts) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  uint64_t MemoryBytes() const override { return ListPolicy::MemoryBytes() + ghosts_.MemoryBytes(); }

 protected:
  void Inserted(BlockId id, const Access& access) override;
  void Touched(BlockId id, const Access& access) override;
  void Removing(BlockId id) override;

 private:
  enum Queue : uint32_t { kSmall = 0, kMain = 1 };
  struct GhostMark {};
  BlockList& ListOf(BlockId id) { return at(id).queue == kSmall ? small_ : main_; }
  void MoveToMain(BlockId id, uint32_t count);

  size_t small_blocks_ = 1;
  size_t history_blocks_ = 0;
  uint32_t threshold_;
  BlockList small_, main_;
  GhostTable<GhostMark> ghosts_;
};

}  // namespace incipit
