// The default policy: several policies compete on metadata, and the one that would hit most decides.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "eviction/block_array.h"
#include "eviction/cost_model.h"
#include "eviction/duel_board.h"
#include "eviction/leaf_first_lru.h"
#include "eviction/policy.h"
#include "eviction/run_policy.h"

namespace incipit {

struct AutoOptions {
  size_t capacity_blocks = 1;
  std::vector<std::unique_ptr<Policy>> contestants;  // at most 8; the first one leads until another has won
  // What a hit is worth: 1, or the FLOPs of the block at its depth.
  bool by_flops = false;
  CostModel cost;
  // Where it is one of `shards` that decide together. Without a board it sees that share of the blocks, of a sample.
  std::shared_ptr<DuelBoard> board;
  uint32_t shards = 1;
};

// Contract, owner and thread: see Policy; `capacity_blocks` must be what the tier really holds.
//
// Each contestant runs a *shadow*: a cache of the full capacity that holds no data, fed with every touch. Its hits are
// its score, which fades: hits count half after thousands of requests, tens of thousands of touches, or several times
// the capacity of touches, whichever is longest. Another takes the lead when its score is better by kMargin, so that
// noise does not flip it; the first contestant, the safe one, takes it back by kMarginBack. What is
// really held then drifts towards the leader's shadow: blocks that the shadow does not hold, *strays*, go first,
// leaf-first LRU among themselves. Since shadows see the same touches whoever leads, the duel is fair.
//
// Touches of one request, each deeper than the one before, wait until there are kMostPending of them or anything else
// is asked or told, and go to contestants that take runs at once: whoever asks sees no difference.
//
// Costs: the sum of the contestants' and some 20 ns for each touch, some 100 where runs are short. Memory: theirs; 23
// to 29 bytes for each block that is held or in a shadow, 4 more for one that is held; 16 for each id up to the highest
// of a stray.
class AutoPolicy final : public Policy, private KeySource {
 public:
  explicit AutoPolicy(AutoOptions options);
  AutoPolicy(const AutoPolicy&) = delete;
  AutoPolicy& operator=(const AutoPolicy&) = delete;

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
    uint32_t depth_tokens = 0;
    BlockId held_as = kNoBlock;
  };
  static_assert(sizeof(Entry) == 16, "memory per block is promised above");
  struct InShadows {
    uint8_t bits = 0;  // bit i: shadow i holds it
  };
  struct EntryOf {
    EntryId id = kNoBlock;
  };
  // Entries are found by their key, and only by it.
  struct KeyHash {
    using is_transparent = void;
    const AutoPolicy* policy;
    size_t operator()(uint64_t key) const;
    size_t operator()(EntryId id) const { return (*this)(policy->entries_[id].key); }
  };
  struct KeyEqual {
    using is_transparent = void;
    const AutoPolicy* policy;
    bool operator()(EntryId a, EntryId b) const { return a == b; }
    bool operator()(EntryId id, uint64_t key) const { return policy->entries_[id].key == key; }
    bool operator()(uint64_t key, EntryId id) const { return policy->entries_[id].key == key; }
  };
  struct Shadow {
    std::unique_ptr<Policy> policy;
    RunPolicy* by_runs = nullptr;  // the same, if it takes runs
    double score = 0;
  };
  // Touches of blocks that all shadows hold, which are in the scores already.
  struct Pending {
    Access access;  // but for the depth
    std::vector<EntryId> ids;
    std::vector<uint32_t> depths;
  };
  static constexpr size_t kMostPending = 256;

  uint64_t KeyOf(EntryId id) const override;
  uint64_t StampOfEntry(EntryId id) const;
  void SetHalfLife();
  EntryId EntryFor(uint64_t key);
  void ForgetIfUnused(EntryId id);
  bool InShadow(EntryId id, size_t shadow) const { return (in_shadows_[id].bits >> shadow & 1) != 0; }
  bool Holds(BlockId id) const { return id < entry_of_.size() && entry_of_[id].id != kNoBlock; }
  void Feed(EntryId id, const Access& access);
  bool MayWait(EntryId id, const Access& access) const;
  bool GoesOn(const Access& access) const;
  void Flush() const;
  void CountTouch();
  double WorthOf(const Access& access) const;
  void BeginRequest();
  void TrimShadows();
  void ConsiderSwitch();
  size_t Verdict();
  size_t VerdictOfAll();
  void SwitchTo(size_t leader);

  AutoOptions options_;
  std::vector<Shadow> shadows_;
  BlockArray<Entry> entries_;
  BlockArray<InShadows> in_shadows_;  // by EntryId
  EntryId next_entry_ = 0;            // all before it are in use or unused
  std::vector<EntryId> unused_entries_;
  absl::flat_hash_set<EntryId, KeyHash, KeyEqual> by_key_;
  BlockArray<EntryOf> entry_of_;  // by BlockId
  mutable Pending pending_;       // questions are answered as if there were none
  bool all_take_runs_ = true;
  LeafFirstLru strays_;  // held, but not by the leader's shadow
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
