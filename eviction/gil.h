// Leaf-first Gittins index: the block that is least likely to come back soon for the space it takes goes first.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "eviction/block_array.h"
#include "eviction/cost_model.h"
#include "eviction/ghost_table.h"
#include "eviction/policy.h"
#include "eviction/reuse_model.h"
#include "eviction/run_policy.h"

namespace incipit {

struct GilOptions {
  size_t capacity_blocks = 1;  // bounds the history; nothing else depends on it
  uint64_t seed = 1;
  // A block's index is multiplied by (cost at its depth / cost at depth 0) to this power: 0 counts hits, 1 FLOPs.
  double cost_exponent = 0;
  CostModel cost;
  // Where it learns, if not alone; see NewReuseModel. Policies that share a model share its thread.
  std::shared_ptr<ReuseModel> model;
};

// A model for policies that hold so many blocks together; one of `shards` that trade through `exchange`, if any.
std::shared_ptr<ReuseModel> NewReuseModel(uint64_t capacity_blocks, uint32_t shards = 1,
                                          std::shared_ptr<ReuseExchange> exchange = nullptr);

// Contract, owner and thread: see Policy.
//
// Blocks that one request touched are a *group*, sorted by depth; of a group the deepest block goes first, as it is the
// least likely to be touched again, so a policy that does not know the tree still evicts leaves. Blocks of a group that
// it touched in the same situation are a *segment*: what is learned goes by segments. A segment also counts its blocks
// that were evicted and are still remembered, because they too wait to be reused.
//
// Victim compares kSamples groups drawn at random with the one it took from last, by the index of their deepest blocks,
// and then stays with its choice for kVictimsPerSample blocks while their class is the same. A hinted block counts as
// certain to be touched at the time announced; past that, as any other. Costs: touch O(1), some 50 ns, a tenth of it
// where blocks that were touched together are touched together again; a sample some 20 ns per group looked at. Memory:
// 21 bytes per block, 8 more if it keeps keys itself, 100 per group, 32 per remembered block, and the model's.
class GilPolicy final : public RunPolicy {
 public:
  explicit GilPolicy(const GilOptions& options);
  ~GilPolicy() override;
  GilPolicy(const GilPolicy&) = delete;
  GilPolicy& operator=(const GilPolicy&) = delete;

  std::string_view name() const override { return options_.cost_exponent > 0 ? "gil-cost" : "gil"; }
  void OnInsert(BlockId id, const Access& access) override;
  void OnAccess(BlockId id, const Access& access) override;
  void OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) override;
  void OnHint(BlockId id, const Hint& hint) override;
  void UseKeysOf(const KeySource* keys) override { key_source_ = keys; }
  void SetCapacity(size_t blocks, size_t ghosts) override;
  void Prefetch(BlockId id) const override;
  void OnRemove(BlockId id) override;
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) override;
  bool Outranks(BlockId a, BlockId b) const override;
  uint64_t StampOf(BlockId id) const override;
  size_t size() const override { return size_; }
  uint64_t MemoryBytes() const override;

 private:
  using SegmentId = uint32_t;
  using GroupId = uint32_t;
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr int kSamples = 512;
  static constexpr uint32_t kVictimsPerSample = 8;
  static constexpr size_t kRequestsInHand = 64;
  static constexpr size_t kShortestChain = 8;  // fewer blocks go one by one

  struct Node {
    BlockId deeper = kNoBlock, shallower = kNoBlock;  // in its group
    SegmentId segment = kNone;                        // kNone: not held
    GroupId group = kNone;
    uint32_t depth = 0;
  };
  static_assert(sizeof(Node) == 20, "memory per block is promised above");
  struct Touches {
    uint8_t count = 0;  // at most kMostTouches: classes tell no more apart
  };
  static constexpr uint8_t kMostTouches = 255;
  struct Segment {
    uint64_t stamp_ns = 0;
    uint32_t waiting = 0;  // blocks held, and those that were evicted and are remembered; 0 = the segment is unused
    uint32_t epoch = 0;
    ReuseModel::ClassId klass = 0;
    bool announced = false;  // what its blocks wait for is known: nothing to learn from
  };
  struct Group {
    uint64_t stamp_ns = 0;
    Hint hint;
    const CostModel* cost = nullptr;  // of its model
    BlockId deepest = kNoBlock, shallowest = kNoBlock;
    uint32_t blocks = 0;                 // 0 = the group is unused
    uint32_t place = 0;                  // in live_groups_
    uint32_t leaf_depth = 0;             // of the deepest block
    ReuseModel::ClassId leaf_class = 0;  // of the deepest block
  };
  // What a request has touched so far: its group, and its segments, a few.
  struct RequestInHand {
    uint64_t stamp_ns = 0;
    GroupId group = kNone;
    std::vector<SegmentId> segments;
  };
  struct Ghost {
    SegmentId segment;
    uint8_t touches;
  };

  uint64_t KeyOf(BlockId id) const { return key_source_ != nullptr ? key_source_->KeyOf(id) : keys_[id]; }
  bool Held(BlockId id) const { return id < nodes_.size() && nodes_[id].segment != kNone; }
  void Enter(BlockId id, const Access& access, uint64_t gap_ns);
  ReuseModel::ClassId ClassOf(const Access& access, uint8_t touches, uint64_t gap_ns);
  SegmentId SegmentFor(RequestInHand* request, ReuseModel::ClassId klass);
  SegmentId NewSegment(const Segment& segment);
  void Learn(const Segment& segment, bool lost, size_t blocks = 1);
  size_t Chain(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access);
  void MoveChain(std::span<const BlockId> chain, const Access& access);
  void CutOut(BlockId first, BlockId last, uint32_t blocks);
  void EndGroup(GroupId id);
  RequestInHand* InHand(uint64_t stamp_ns);
  GroupId GroupFor(RequestInHand* request, const CostModel* cost);
  SegmentId AnnouncedSegmentFor(SegmentId origin);
  GroupId HintedGroupFor(GroupId origin, const Hint& hint);
  GroupId NewGroup(const Group& group);
  void Link(GroupId id, BlockId block);
  void Unlink(BlockId block);
  void NoteLeaf(Group* group);
  void StopWaiting(SegmentId id);
  void ForgetOldest();
  uint64_t AgeAt(uint64_t stamp_ns) const;
  double IndexOf(const Group& group, ReuseModel::ClassId klass, uint32_t depth) const;
  GroupId Sample();
  BlockId FirstOf(const Group& group, absl::FunctionRef<bool(BlockId)> evictable, size_t* candidates) const;
  void TakeCensus(ReuseModel* model) const;
  uint64_t Random();

  GilOptions options_;
  size_t most_ghosts_;
  std::shared_ptr<ReuseModel> model_;
  BlockArray<Node> nodes_;
  BlockArray<Touches> touches_;
  BlockArray<uint64_t> keys_;  // empty with a source of keys
  const KeySource* key_source_ = nullptr;
  std::vector<Segment> segments_;
  std::vector<SegmentId> unused_segments_;
  std::vector<Group> groups_;
  std::vector<GroupId> unused_groups_, live_groups_;
  GhostTable<Ghost> ghosts_;
  size_t size_ = 0;
  uint64_t now_ns_ = 0;  // newest stamp seen
  uint64_t random_state_;
  // By stamp: requests of several connections come in turns, block by block.
  std::array<RequestInHand, kRequestsInHand> in_hand_;
  // Of the last block that was touched: the next one's is the same as a rule.
  ReuseSituation last_situation_;
  ReuseModel::ClassId class_of_last_;
  // The last group made for hinted blocks, and where they came from.
  GroupId hinted_origin_ = kNone, hinted_ = kNone;
  SegmentId announced_origin_ = kNone, announced_ = kNone;
  GroupId last_victim_ = kNone;
  ReuseModel::ClassId last_class_ = 0;
  uint32_t victims_left_ = 0;
};

}  // namespace incipit
