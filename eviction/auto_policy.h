// The default policy: several policies compete on metadata, and the one that would hit most decides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "eviction/cost_model.h"
#include "eviction/duel_board.h"
#include "eviction/leaf_first_lru.h"
#include "eviction/policy.h"

namespace incipit {

struct AutoOptions {
  size_t capacity_blocks = 1;
  std::vector<std::unique_ptr<Policy>> contestants;  // at most 8; the first one leads until another has won
  // What a hit is worth: 1, or the FLOPs of the block at its depth.
  bool by_flops = false;
  CostModel cost;
  // Where it is one of `shards` that decide together.
  std::shared_ptr<DuelBoard> board;
  uint32_t shards = 1;
};

// Contract, owner and thread: see Policy; `capacity_blocks` must be what the tier really holds.
//
// Each contestant runs a *shadow*: a cache of the full capacity that holds no data, fed with every touch. Its hits are
// its score, which fades: hits count half after thousands of requests, tens of thousands of touches, or several times
// the capacity of touches, whichever is longest. Another takes the lead when its score is better by kMargin, so that
// noise does not flip it. What is really held then drifts towards the leader's shadow: blocks that the shadow does not
// hold, *strays*, go first, leaf-first LRU among themselves. Since shadows see the same touches whoever leads, the duel
// is fair.
//
// Costs: the sum of the contestants' and some 100 ns for each touch. Memory: theirs, and about 100 bytes for each block
// that is held or in a shadow.
class AutoPolicy final : public Policy {
 public:
  explicit AutoPolicy(AutoOptions options);

  std::string_view name() const override { return "auto"; }
  void OnInsert(BlockId id, const Access& access) override;
  void OnAccess(BlockId id, const Access& access) override;
  void OnHint(BlockId id, const Hint& hint) override;
  // A shadow that has become too large is cut back with the next request.
  void SetCapacity(size_t blocks, size_t ghosts) override;
  void Prefetch(BlockId id) const override;
  void OnRemove(BlockId id) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t StampOf(BlockId id) const override;
  size_t size() const override { return size_; }
  uint64_t MemoryBytes() const override;

  // Who leads, by its name, and how often the lead has changed.
  std::string_view leader() const { return shadows_[leader_].policy->name(); }
  uint64_t switches() const { return switches_; }

 private:
  using EntryId = BlockId;  // the shadows' name for a block
  struct Entry {
    uint64_t key = 0;
    uint64_t stamp_ns = 0;
    uint32_t depth_tokens = 0;
    BlockId held_as = kNoBlock;
    uint8_t in_shadows = 0;  // bit i: shadow i holds it
  };
  struct Shadow {
    std::unique_ptr<Policy> policy;
    double score = 0;
  };

  void SetHalfLife();
  EntryId EntryFor(uint64_t key);
  void ForgetIfUnused(EntryId id);
  bool InShadow(EntryId id, size_t shadow) const { return (entries_[id].in_shadows >> shadow & 1) != 0; }
  void Feed(EntryId id, const Access& access);
  void BeginRequest();
  void TrimShadows();
  void ConsiderSwitch();
  size_t Verdict();
  size_t VerdictOfAll();
  void SwitchTo(size_t leader);

  AutoOptions options_;
  std::vector<Shadow> shadows_;
  std::vector<Entry> entries_;
  std::vector<EntryId> unused_entries_;
  absl::flat_hash_map<uint64_t, EntryId> by_key_;
  std::vector<EntryId> entry_of_;  // by BlockId; kNoBlock: not held
  LeafFirstLru strays_;            // held, but not by the leader's shadow
  size_t size_ = 0;
  size_t leader_ = 0;
  uint64_t switches_ = 0;
  uint64_t request_stamp_ns_ = 0;
  size_t shard_ = 0;  // on the board
  uint64_t touches_since_switch_ = 0, touches_since_told_ = 0;
  uint64_t unnamed_ = 0;  // blocks without a key seen so far
  uint64_t touches_ = 0;  // of the request in hand
  double hit_worth_ = 1;  // grows, which is how older hits fade
  double half_life_touches_;
};

}  // namespace incipit
