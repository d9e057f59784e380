// Leaf-first LRU: oldest request stamp first; within one stamp the deepest block first.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "eviction/block_array.h"
#include "eviction/policy.h"
#include "eviction/run_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. Blocks of equal stamp and depth go in no particular order.
//
// One request touches thousands of blocks with one stamp, in order of depth, so blocks are kept in *runs*: linked
// lists of blocks of one stamp, deepest at the head, of at most kRunBlocks blocks (more only if all are equally deep).
// The runs are sorted, by stamp and then by depth from the deep end, in a B-tree of run numbers. A touch of the usual
// kind goes to the head of the run that was used last and touches no tree. Of many touches at once, whole runs move as
// they are.
//
// Costs: such a touch O(1), a tenth of it in whole runs; any other O(log runs + kRunBlocks), whatever order stamps and
// depths come in. Memory: 16
// bytes per block and about 29 per run, besides the slack of the array of runs.
class LeafFirstLru final : public RunPolicy {
 public:
  LeafFirstLru();
  LeafFirstLru(const LeafFirstLru&) = delete;
  LeafFirstLru& operator=(const LeafFirstLru&) = delete;

  std::string_view name() const override { return "leaf-first-lru"; }
  void OnInsert(BlockId id, const Access& access) override;
  void OnAccess(BlockId id, const Access& access) override;
  void OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) override;
  void Prefetch(BlockId id) const override;
  void OnRemove(BlockId id) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t StampOf(BlockId id) const override;
  size_t size() const override { return size_; }
  uint64_t MemoryBytes() const override;

 private:
  using RunId = uint32_t;
  static constexpr RunId kNoRun = UINT32_MAX;
  static constexpr uint32_t kRunBlocks = 64;
  static constexpr uint32_t kFewestMoved = kRunBlocks / 2;  // fewer go one by one, into runs that are full
  static constexpr uint32_t kAnyDepth = UINT32_MAX;

  struct Node {
    BlockId deeper = kNoBlock;     // the head's is the run's shallowest block, which makes appending there cheap
    BlockId shallower = kNoBlock;  // kNoBlock at the end
    RunId run = kNoRun;            // kNoRun: not held
    uint32_t depth = 0;
  };
  static_assert(sizeof(Node) == 16, "memory per block is promised in the README");

  // Holds the stamp's blocks that are at most `limit` deep and deeper than the next run's limit.
  struct Run {
    uint64_t stamp;
    uint32_t limit;
    BlockId head;
    uint32_t count;
  };
  struct Position {
    uint64_t stamp;
    uint32_t depth;
  };
  struct RunOrder {
    using is_transparent = void;
    const std::vector<Run>* runs;
    Position At(RunId id) const { return {(*runs)[id].stamp, (*runs)[id].limit}; }
    static Position At(Position position) { return position; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      const Position left = At(a);
      const Position right = At(b);
      return left.stamp != right.stamp ? left.stamp < right.stamp : left.depth > right.depth;
    }
  };

  bool Held(BlockId id) const { return id < nodes_.size() && nodes_[id].run != kNoRun; }
  RunId RunFor(Position position);
  RunId NewRun(uint64_t stamp, uint32_t limit);
  void Insert(BlockId id, Position position);
  void Remove(BlockId id);
  void PushDeepest(RunId run, BlockId id);
  void PushShallowest(RunId run, BlockId id);
  void PushWithin(RunId run, BlockId id);
  void SplitAt(RunId run, BlockId id);
  void MoveToLastRun(RunId from, BlockId first, BlockId last);
  uint32_t WholeRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, uint64_t stamp) const;
  bool MoveRun(RunId run, uint64_t stamp);

  BlockArray<Node> nodes_;
  std::vector<Run> runs_;
  std::vector<RunId> unused_runs_;
  absl::btree_set<RunId, RunOrder> order_;
  size_t size_ = 0;
  // The run used last, and the limit of the one behind it in the same stamp: a depth above `last_floor_` and up to the
  // run's own limit belongs to it.
  RunId last_run_ = kNoRun;
  int64_t last_floor_ = -1;
};

}  // namespace incipit
