#include "eviction/leaf_first_lru.h"

#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace incipit {
namespace {

bool Any(BlockId) { return true; }

constexpr size_t kUnlimited = SIZE_MAX;

std::vector<BlockId> DrainInOrder(Policy& policy) {
  std::vector<BlockId> order;
  for (BlockId id = policy.Victim(Any, 1); id != kNoBlock; id = policy.Victim(Any, 1)) {
    order.push_back(id);
    policy.OnRemove(id);
  }
  return order;
}

TEST(LeafFirstLruTest, EmptyPolicyHasNoVictim) { EXPECT_EQ(MakeLeafFirstLru()->Victim(Any, kUnlimited), kNoBlock); }

TEST(LeafFirstLruTest, OldestStampGoesFirstAndWithinItTheDeepest) {
  auto policy = MakeLeafFirstLru();
  policy->OnInsert(0, {.stamp_ns = 20, .depth_tokens = 0});
  policy->OnInsert(1, {.stamp_ns = 20, .depth_tokens = 64});
  policy->OnInsert(2, {.stamp_ns = 10, .depth_tokens = 0});
  policy->OnInsert(3, {.stamp_ns = 10, .depth_tokens = 64});
  policy->OnInsert(4, {.stamp_ns = 10, .depth_tokens = 128});
  EXPECT_EQ(DrainInOrder(*policy), (std::vector<BlockId>{4, 3, 2, 1, 0}));
}

TEST(LeafFirstLruTest, DescendingAndShuffledInsertionsComeOutDeepestFirst) {
  for (const std::vector<uint32_t>& depths : std::vector<std::vector<uint32_t>>{{3, 2, 1, 0}, {2, 0, 3, 1}}) {
    auto policy = MakeLeafFirstLru();
    for (const uint32_t depth : depths) policy->OnInsert(depth, {.stamp_ns = 1, .depth_tokens = depth});
    EXPECT_EQ(DrainInOrder(*policy), (std::vector<BlockId>{3, 2, 1, 0}));
  }
}

TEST(LeafFirstLruTest, OlderStampChangesNothing) {
  auto policy = MakeLeafFirstLru();
  policy->OnInsert(0, {.stamp_ns = 20});
  policy->OnInsert(1, {.stamp_ns = 10});
  policy->OnAccess(0, {.stamp_ns = 5});
  EXPECT_EQ(policy->StampOf(0), 20u);
  EXPECT_EQ(policy->Victim(Any, 1), 1u);
}

TEST(LeafFirstLruTest, AncestorsOfATouchedBlockOutliveTheUntouchedBranch) {
  auto policy = MakeLeafFirstLru();
  for (BlockId id = 0; id < 6; ++id) policy->OnInsert(id, {.stamp_ns = 1, .depth_tokens = id});
  for (BlockId id = 0; id < 3; ++id) policy->OnAccess(id, {.stamp_ns = 2, .depth_tokens = id});
  EXPECT_EQ(DrainInOrder(*policy), (std::vector<BlockId>{5, 4, 3, 2, 1, 0}));
}

TEST(LeafFirstLruTest, VictimSkipsPinnedBlocksUpToTheLimit) {
  auto policy = MakeLeafFirstLru();
  for (BlockId id = 0; id < 4; ++id) policy->OnInsert(id, {.stamp_ns = id});
  const auto pinned = [](BlockId id) { return id >= 2; };
  EXPECT_EQ(policy->Victim(pinned, 3), 2u);
  EXPECT_EQ(policy->Victim(pinned, 2), kNoBlock);
  EXPECT_EQ(policy->size(), 4u);
}

TEST(LeafFirstLruTest, NewerOrShallowerOutranks) {
  auto policy = MakeLeafFirstLru();
  policy->OnInsert(0, {.stamp_ns = 1, .depth_tokens = 0});
  policy->OnInsert(1, {.stamp_ns = 1, .depth_tokens = 64});
  policy->OnInsert(2, {.stamp_ns = 2, .depth_tokens = 640});
  EXPECT_TRUE(policy->Outranks(0, 1));
  EXPECT_FALSE(policy->Outranks(1, 0));
  EXPECT_TRUE(policy->Outranks(2, 0));
  EXPECT_FALSE(policy->Outranks(0, 2));
  EXPECT_FALSE(policy->Outranks(0, 0));
}

TEST(LeafFirstLruTest, IdIsReusableAfterRemoval) {
  auto policy = MakeLeafFirstLru();
  policy->OnInsert(7, {.stamp_ns = 1});
  policy->OnRemove(7);
  EXPECT_EQ(policy->size(), 0u);
  policy->OnInsert(7, {.stamp_ns = 3});
  EXPECT_EQ(policy->StampOf(7), 3u);
}

TEST(LeafFirstLruDeathTest, MisuseEndsTheProcess) {
  auto policy = MakeLeafFirstLru();
  policy->OnInsert(1, {.stamp_ns = 1});
  EXPECT_DEATH(policy->OnInsert(1, {.stamp_ns = 2}), "already held");
  EXPECT_DEATH(policy->OnAccess(0, {.stamp_ns = 2}), "not held");
  EXPECT_DEATH(policy->OnRemove(2), "not held");
}

// What the policy says it is, as a sorted set.
class Reference {
 public:
  void Put(BlockId id, uint64_t stamp, uint32_t depth) {
    blocks_[id] = {stamp, depth};
    order_.insert({stamp, -int64_t{depth}, id});
  }
  void Touch(BlockId id, uint64_t stamp) {
    const auto [old_stamp, depth] = blocks_.at(id);
    if (stamp <= old_stamp) return;
    Drop(id);
    Put(id, stamp, depth);
  }
  void Drop(BlockId id) {
    const auto [stamp, depth] = blocks_.at(id);
    order_.erase({stamp, -int64_t{depth}, id});
    blocks_.erase(id);
  }
  // Stamp and depth.
  std::pair<uint64_t, uint32_t> RankOf(BlockId id) const { return blocks_.at(id); }
  BlockId Victim(const std::set<BlockId>& pinned, size_t max_candidates) const {
    for (const auto& [stamp, depth, id] : order_) {
      if (max_candidates-- == 0) break;
      if (!pinned.contains(id)) return id;
    }
    return kNoBlock;
  }
  bool Holds(BlockId id) const { return blocks_.contains(id); }
  size_t size() const { return blocks_.size(); }

 private:
  std::map<BlockId, std::pair<uint64_t, uint32_t>> blocks_;
  std::set<std::tuple<uint64_t, int64_t, BlockId>> order_;
};

struct Mix {
  uint64_t seed;
  BlockId ids;
  uint64_t stamps;  // stamps are drawn from so many values, in no order
  uint32_t depths;  // 0: the depth is the id, so that no two blocks rank alike
};

class LeafFirstLruRandomTest : public testing::TestWithParam<Mix> {};

TEST_P(LeafFirstLruRandomTest, AgreesWithASortedSet) {
  const Mix mix = GetParam();
  SCOPED_TRACE(testing::Message() << "seed " << mix.seed);
  std::mt19937_64 random(mix.seed);
  auto policy = MakeLeafFirstLru();
  Reference reference;
  std::set<BlockId> pinned;
  for (int step = 0; step < 60000; ++step) {
    const BlockId id = static_cast<BlockId>(random() % mix.ids);
    const uint64_t stamp = random() % mix.stamps;
    const uint32_t depth = mix.depths == 0 ? id : static_cast<uint32_t>(random() % mix.depths);
    if (!reference.Holds(id)) {
      policy->OnInsert(id, {.stamp_ns = stamp, .depth_tokens = depth});
      reference.Put(id, stamp, depth);
    } else if (random() % 4 != 0) {
      policy->OnAccess(id, {.stamp_ns = stamp, .depth_tokens = reference.RankOf(id).second});
      reference.Touch(id, stamp);
    } else {
      policy->OnRemove(id);
      reference.Drop(id);
      pinned.erase(id);
    }
    if (random() % 16 == 0 && reference.Holds(id)) pinned.insert(id);
    if (pinned.size() > 8) pinned.erase(pinned.begin());
    const bool limited = mix.depths == 0 && random() % 2 == 0;
    const size_t candidates = limited ? 1 + random() % 8 : kUnlimited;
    const BlockId expected = reference.Victim(pinned, candidates);
    const BlockId found = policy->Victim([&](BlockId at) { return !pinned.contains(at); }, candidates);
    ASSERT_EQ(found == kNoBlock, expected == kNoBlock) << "step " << step;
    if (found == kNoBlock) continue;
    // Blocks of one rank may come in any order.
    ASSERT_EQ(reference.RankOf(found), reference.RankOf(expected)) << "step " << step;
    ASSERT_EQ(policy->StampOf(found), reference.RankOf(found).first);
    ASSERT_EQ(policy->size(), reference.size());
    if (random() % 8 == 0) {
      policy->OnRemove(found);
      reference.Drop(found);
    }
  }
  std::pair<uint64_t, uint32_t> previous = {0, UINT32_MAX};
  for (const BlockId id : DrainInOrder(*policy)) {
    const auto rank = reference.RankOf(id);
    ASSERT_TRUE(rank.first > previous.first || (rank.first == previous.first && rank.second <= previous.second));
    previous = rank;
    reference.Drop(id);
  }
  EXPECT_EQ(reference.size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Mixes, LeafFirstLruRandomTest,
                         testing::Values(Mix{1, 50, 1000000, 0}, Mix{2, 500, 100, 0}, Mix{3, 2000, 3, 0},
                                         Mix{4, 2000, 1, 0}, Mix{5, 2000, 1, 5}, Mix{6, 2000, 2, 1},
                                         Mix{7, 2000, 4, 300}, Mix{8, 20000, 40, 0}, Mix{9, 20000, 2, 40}));

TEST(LeafFirstLruTest, ChainsOfManyRunsKeepTheirOrder) {
  auto policy = MakeLeafFirstLru();
  constexpr BlockId kBlocks = 5000;
  // Two groups: two blocks at every depth.
  for (BlockId id = 0; id < kBlocks; ++id) policy->OnInsert(id, {.stamp_ns = 1, .depth_tokens = id / 2});
  for (BlockId id = kBlocks; id-- > kBlocks / 2;) policy->OnAccess(id, {.stamp_ns = 2, .depth_tokens = id / 2});
  const std::vector<BlockId> order = DrainInOrder(*policy);
  ASSERT_EQ(order.size(), kBlocks);
  for (BlockId i = 0; i < kBlocks; ++i) {
    const BlockId base = i < kBlocks / 2 ? kBlocks / 2 - 1 : kBlocks - 1 + kBlocks / 2;
    ASSERT_EQ(order[i] / 2, (base - i) / 2) << i;
  }
}

}  // namespace
}  // namespace incipit
