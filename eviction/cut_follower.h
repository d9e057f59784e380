// Makes any policy one of several shards that hold parts of the same prompts: what another shard cut off goes first.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "eviction/block_array.h"
#include "eviction/cut_board.h"
#include "eviction/policy.h"
#include "eviction/run_policy.h"

namespace incipit {

// Contract, owner and thread: see Policy. Tells the board of what is removed, and hears from it what others removed.
// Blocks are dead when the request that touched them last has lost a block before them; dead blocks go first, those
// that died last before others as a rule, and then whoever the policy within chooses.
//
// Costs: some 50 ns for each touch, a tenth of it where blocks come in runs, if a request's blocks come in order of
// depth, either way, and 64 steps at most if they do not, which may cost it the news of some that are dead; a removal
// some 50 ns, and as much for each removal in other shards meanwhile. Memory: 16 bytes per block, at most 16 more for
// deaths, and some 50 for each request that touched a held block last.
class CutFollower final : public RunPolicy {
 public:
  CutFollower(std::unique_ptr<Policy> within, std::shared_ptr<CutBoard> board);

  std::string_view name() const override { return within_->name(); }
  void OnInsert(BlockId id, const Access& access) override;
  void OnAccess(BlockId id, const Access& access) override;
  void OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) override;
  void OnHint(BlockId id, const Hint& hint) override { within_->OnHint(id, hint); }
  void UseKeysOf(const KeySource* keys) override { within_->UseKeysOf(keys); }
  void SetCapacity(size_t blocks, size_t ghosts) override { within_->SetCapacity(blocks, ghosts); }
  void Prefetch(BlockId id) const override;
  void OnRemove(BlockId id) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t StampOf(BlockId id) const override { return within_->StampOf(id); }
  size_t size() const override { return within_->size(); }
  uint64_t MemoryBytes() const override;

 private:
  using RequestId = uint32_t;
  static constexpr RequestId kGone = UINT32_MAX, kDead = UINT32_MAX - 1;

  struct Node {
    RequestId request = kGone;  // that touched it last; or kDead
    uint32_t depth_tokens = 0;
    BlockId deeper = kNoBlock;  // of the living that one request touched last; of the dead, the number of its death
    BlockId shallower = kNoBlock;
  };
  static_assert(sizeof(Node) == 16, "memory per block is promised above");
  // The living blocks that a request touched last, by depth as far as they came that way.
  struct Touched {
    uint64_t stamp_ns = 0;
    BlockId deepest = kNoBlock, shallowest = kNoBlock;
    uint32_t cut_depth = UINT32_MAX;  // the shallowest cut that was heard of
  };
  struct Death {
    BlockId id;
    uint32_t number;
  };

  bool IsDead(BlockId id) const { return nodes_[id].request == kDead; }
  RequestId RequestOf(uint64_t stamp_ns);
  RequestId FindOrMakeRequest(uint64_t stamp_ns);
  void Link(BlockId id, const Access& access);
  void Unlink(BlockId id);
  size_t Chain(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) const;
  void MoveChain(std::span<const BlockId> chain, RequestId to);
  void Kill(uint64_t stamp_ns, uint32_t depth_tokens);
  void ForgetStaleDeaths();
  void ReadBoard();

  std::unique_ptr<Policy> within_;
  RunPolicy* within_by_runs_;  // the same; null if it hears of one touch at a time
  std::shared_ptr<CutBoard> board_;
  uint64_t read_ = 0;  // of the board
  BlockArray<Node> nodes_;
  std::vector<Touched> requests_;
  std::vector<RequestId> unused_requests_;
  RequestId last_request_ = kGone;  // that touched a block
  absl::flat_hash_map<uint64_t, RequestId> by_stamp_;
  std::vector<Death> dead_;  // some may be gone, or alive again
  uint32_t deaths_ = 0;
};

}  // namespace incipit
