#include "eviction/w_tiny_lfu.h"

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

constexpr auto kAny = [](BlockId) { return true; };

TEST(WTinyLfuTest, OneShotBlocksDoNotPushOutPopularOnes) {
  WTinyLfu policy(100);
  uint64_t stamp = 0;
  for (BlockId id = 0; id < 50; ++id) policy.OnInsert(id, {.stamp_ns = ++stamp, .key = id + 1u});
  for (int round = 0; round < 4; ++round) {
    for (BlockId id = 0; id < 50; ++id) policy.OnAccess(id, {.stamp_ns = ++stamp, .key = id + 1u});
  }
  for (BlockId id = 100; id < 2000; ++id) {
    policy.OnAccess(id % 50, {.stamp_ns = ++stamp, .key = id % 50 + 1u});
    policy.OnInsert(id, {.stamp_ns = ++stamp, .key = id + 1u});
    while (policy.size() > 100) {
      const BlockId victim = policy.Victim(kAny, SIZE_MAX);
      ASSERT_GE(victim, 100u) << "a popular block went";
      policy.OnRemove(victim);
    }
  }
  EXPECT_EQ(policy.size(), 100u);
}

TEST(WTinyLfuTest, WhatComesBackAgainAndAgainIsAdmitted) {
  WTinyLfu policy(10);
  uint64_t stamp = 0;
  for (BlockId id = 0; id < 10; ++id) policy.OnInsert(id, {.stamp_ns = ++stamp, .key = id + 1u});
  bool held = false;
  int refused = 0;
  for (int i = 0; i < 8 && !(held && refused > 0); ++i) {
    if (!held) policy.OnInsert(50, {.stamp_ns = ++stamp, .key = 51});
    held = true;
    policy.OnInsert(static_cast<BlockId>(60 + i), {.stamp_ns = ++stamp, .key = static_cast<uint64_t>(1000 + i)});
    while (policy.size() > 10) {
      const BlockId victim = policy.Victim(kAny, SIZE_MAX);
      policy.OnRemove(victim);
      if (victim != 50) continue;
      held = false;
      ++refused;
    }
  }
  EXPECT_TRUE(held);
  EXPECT_GT(refused, 0) << "at its first visit it has nothing to show";
}

TEST(WTinyLfuTest, SkipsWhatMayNotGo) {
  WTinyLfu policy(10);
  for (BlockId id = 0; id < 12; ++id) policy.OnInsert(id, {.stamp_ns = id + 1u, .key = id + 1u});
  EXPECT_EQ(policy.Victim([](BlockId) { return false; }, 100), kNoBlock);
  EXPECT_EQ(policy.Victim([](BlockId id) { return id == 4; }, 100), 4u);
}

TEST(WTinyLfuTest, HoldsWhatItIsToldUnderRandomTouches) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    WTinyLfu policy(20);
    std::map<BlockId, uint64_t> held;
    for (uint64_t i = 1; i < 4000; ++i) {
      const auto id = static_cast<BlockId>(std::min(random() % 60, random() % 60));
      const Access access{.stamp_ns = i, .key = id + 1u};
      held.contains(id) ? policy.OnAccess(id, access) : policy.OnInsert(id, access);
      held[id] = i;
      while (policy.size() > 20) {
        const BlockId victim = policy.Victim(kAny, SIZE_MAX);
        ASSERT_TRUE(held.contains(victim));
        policy.OnRemove(victim);
        held.erase(victim);
      }
      ASSERT_EQ(policy.size(), held.size());
      for (const auto& [block, stamp] : held) ASSERT_EQ(policy.StampOf(block), stamp);
    }
  }
}

}  // namespace
}  // namespace incipit
