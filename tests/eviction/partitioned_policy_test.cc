#include "eviction/partitioned_policy.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace incipit {
namespace {

constexpr size_t kUnlimited = SIZE_MAX;
bool Any(BlockId) { return true; }
std::unique_ptr<Policy> Lru(OwnerIndex) { return MakeLeafFirstLru(); }

TEST(PartitionedPolicy, OldestOfAllAndOldestOfEachOwner) {
  PartitionedPolicy policy(Lru);
  policy.OnInsert(0, 10, {.stamp_ns = 5});
  policy.OnInsert(1, 11, {.stamp_ns = 3});
  policy.OnInsert(1, 12, {.stamp_ns = 4});
  policy.OnInsert(2, 13, {.stamp_ns = 9});
  EXPECT_EQ(policy.Victim(Any, kUnlimited), 11u);
  EXPECT_EQ(policy.VictimOf(0, Any, kUnlimited), 10u);
  EXPECT_EQ(policy.VictimOf(1, Any, kUnlimited), 11u);
  EXPECT_EQ(policy.VictimOf(2, Any, kUnlimited), 13u);
  EXPECT_EQ(policy.VictimOf(7, Any, kUnlimited), kNoBlock);
  policy.OnAccess(11, {.stamp_ns = 20});
  EXPECT_EQ(policy.VictimOf(1, Any, kUnlimited), 12u);
  EXPECT_EQ(policy.StampOf(11), 20u);
  EXPECT_EQ(policy.Victim([](BlockId id) { return id == 13; }, kUnlimited), 13u);
}

TEST(PartitionedPolicy, IdMayComeBackWithAnotherOwner) {
  PartitionedPolicy policy(Lru);
  for (const OwnerIndex owner : {0u, 3u, 1u, 0u, 3u}) {
    policy.OnInsert(owner, 7, {.stamp_ns = 1});
    EXPECT_EQ(policy.VictimOf(owner, Any, kUnlimited), 7u);
    EXPECT_EQ(policy.size(), 1u);
    policy.OnRemove(7);
    EXPECT_EQ(policy.VictimOf(owner, Any, kUnlimited), kNoBlock);
  }
}

// Against a plain map.
TEST(PartitionedPolicy, RandomHistoryAgreesWithAModel) {
  PartitionedPolicy policy(Lru);
  std::map<BlockId, std::pair<OwnerIndex, uint64_t>> model;
  std::mt19937_64 random(7);
  uint64_t stamp = 1;
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<BlockId>(random() % 200);
    const auto held = model.find(id);
    if (held == model.end()) {
      const auto owner = static_cast<OwnerIndex>(random() % 5);
      policy.OnInsert(owner, id, {.stamp_ns = ++stamp});
      model[id] = {owner, stamp};
    } else if (random() % 2 == 0) {
      policy.OnAccess(id, {.stamp_ns = ++stamp});
      held->second.second = stamp;
    } else {
      policy.OnRemove(id);
      model.erase(held);
    }
    const auto of = static_cast<OwnerIndex>(random() % 5);
    BlockId oldest = kNoBlock, oldest_of = kNoBlock;
    for (const auto& [candidate, value] : model) {
      if (oldest == kNoBlock || value.second < model[oldest].second) oldest = candidate;
      if (value.first == of && (oldest_of == kNoBlock || value.second < model[oldest_of].second)) oldest_of = candidate;
    }
    ASSERT_EQ(policy.Victim(Any, kUnlimited), oldest) << step;
    ASSERT_EQ(policy.VictimOf(of, Any, kUnlimited), oldest_of) << step;
    ASSERT_EQ(policy.size(), model.size());
    const BlockId any = model.empty() ? kNoBlock : model.begin()->first;
    if (any == kNoBlock || model[any].second == model[oldest].second) continue;
    ASSERT_TRUE(policy.Outranks(any, oldest) && !policy.Outranks(oldest, any)) << step;
  }
}

TEST(PartitionedPolicy, MemoryGrowsWithBlocksNotWithOwnersTimesBlocks) {
  constexpr BlockId kBlocks = 50'000;
  PartitionedPolicy one(Lru), many(Lru);
  for (BlockId id = 0; id < kBlocks; ++id) {
    one.OnInsert(0, id, {.stamp_ns = id / 64 + 1, .depth_tokens = id % 64});
    many.OnInsert(id % 200, id, {.stamp_ns = id / 64 + 1, .depth_tokens = id % 64});
  }
  EXPECT_LT(one.MemoryBytes(), 50 * kBlocks);
  EXPECT_LT(many.MemoryBytes(), 150 * kBlocks);
}

}  // namespace
}  // namespace incipit
