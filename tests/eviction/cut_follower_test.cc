#include "eviction/cut_follower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <vector>

namespace incipit {
namespace {

constexpr auto kAny = [](BlockId) { return true; };

TEST(CutFollower, OrderWithinAnUncutShardIsThePolicys) {
  CutFollower policy(MakeLeafFirstLru(), std::make_shared<CutBoard>());
  policy.OnInsert(0, {.stamp_ns = 5, .depth_tokens = 0});
  policy.OnInsert(1, {.stamp_ns = 5, .depth_tokens = 512});
  policy.OnInsert(2, {.stamp_ns = 9, .depth_tokens = 512});
  EXPECT_EQ(policy.name(), "leaf-first-lru");
  for (const BlockId expected : {1u, 0u, 2u}) {
    EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), expected);
    policy.OnRemove(expected);
  }
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), kNoBlock);
}

TEST(CutFollower, TouchedAgainIsAliveAgain) {
  const auto board = std::make_shared<CutBoard>();
  CutFollower policy(MakeLeafFirstLru(), board);
  policy.OnInsert(0, {.stamp_ns = 1});
  policy.OnInsert(1, {.stamp_ns = 5, .depth_tokens = 1024});
  board->Post({.stamp_ns = 5, .depth_tokens = 512});
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 1u);
  EXPECT_TRUE(policy.Outranks(0, 1));
  policy.OnAccess(1, {.stamp_ns = 7, .depth_tokens = 1024});
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 0u);
  EXPECT_TRUE(policy.Outranks(1, 0));
}

TEST(CutFollower, LooksAtNoMoreThanItMay) {
  const auto board = std::make_shared<CutBoard>();
  CutFollower policy(MakeLeafFirstLru(), board);
  for (BlockId id = 0; id < 10; ++id) policy.OnInsert(id, {.stamp_ns = 5, .depth_tokens = 512 * (id + 1)});
  board->Post({.stamp_ns = 5, .depth_tokens = 0});
  size_t looks = 0;
  const auto refuse = [&](BlockId) {
    ++looks;
    return false;
  };
  EXPECT_EQ(policy.Victim(refuse, 7), kNoBlock);
  EXPECT_EQ(looks, 7u);
  EXPECT_NE(policy.Victim(kAny, 1), kNoBlock) << "those that were refused are still known";
}

// In any order, a cut kills nothing before it, and every block is a victim once.
TEST(CutFollower, BlocksInNoOrderAreKeptApartByTheirDepthAlone) {
  constexpr BlockId kBlocks = 20'000;
  constexpr uint32_t kCutDepth = kBlocks / 2;
  std::mt19937_64 random(1);
  std::vector<uint32_t> depths(kBlocks);
  std::iota(depths.begin(), depths.end(), 0);
  std::shuffle(depths.begin(), depths.end(), random);
  const auto board = std::make_shared<CutBoard>();
  CutFollower policy(MakeLeafFirstLru(), board);
  for (BlockId id = 0; id < kBlocks; ++id) policy.OnInsert(id, {.stamp_ns = 5, .depth_tokens = depths[id]});
  policy.OnInsert(kBlocks, {.stamp_ns = 6});
  board->Post({.stamp_ns = 5, .depth_tokens = kCutDepth});
  ASSERT_GT(depths[policy.Victim(kAny, SIZE_MAX)], kCutDepth);
  std::vector<bool> gone(kBlocks + 1);
  for (BlockId left = kBlocks + 1; left > 0; --left) {
    const BlockId victim = policy.Victim(kAny, SIZE_MAX);
    ASSERT_FALSE(gone.at(victim));
    gone[victim] = true;
    policy.OnRemove(victim);
  }
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), kNoBlock);
}

TEST(CutFollower, DyingOverAndOverTakesNoMemory) {
  CutFollower policy(MakeLeafFirstLru(), std::make_shared<CutBoard>());
  constexpr BlockId kBlocks = 64;
  for (BlockId id = 0; id < kBlocks; ++id) policy.OnInsert(id, {.stamp_ns = 1, .depth_tokens = 512 * id});
  uint64_t first_bytes = 0;
  for (uint64_t stamp = 2; stamp < 2000; ++stamp) {
    for (BlockId id = 0; id < kBlocks; ++id) policy.OnAccess(id, {.stamp_ns = stamp, .depth_tokens = 512 * id});
    policy.OnRemove(0);  // all others die
    policy.OnInsert(0, {.stamp_ns = stamp});
    if (stamp == 100) first_bytes = policy.MemoryBytes();
  }
  EXPECT_LE(policy.MemoryBytes(), first_bytes);
  EXPECT_NE(policy.Victim(kAny, SIZE_MAX), 0u) << "the dead are still known";
}

// Two shards with every second block of all prompts: no shard evicts a live block while it holds a dead one, and ids
// that were given out anew are never mistaken for what they named before.
TEST(CutFollower, DeadBlocksGoFirstWhateverHappens) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto board = std::make_shared<CutBoard>();
    struct Held {
      uint64_t stamp_ns;
      uint32_t depth;
    };
    struct Shard {
      std::unique_ptr<Policy> policy;
      std::map<BlockId, Held> held;
    };
    std::vector<Shard> shards(2);
    for (Shard& shard : shards) shard.policy = std::make_unique<CutFollower>(MakeLeafFirstLru(), board);
    std::map<uint64_t, uint32_t> cut;  // by stamp: the shallowest removal
    uint64_t dead_victims = 0;
    for (uint64_t stamp = 1; stamp <= 400; ++stamp) {
      for (uint32_t depth = 0; depth < 8; ++depth) {
        Shard& shard = shards[depth % 2];
        const auto id = static_cast<BlockId>(random() % 40);
        if (shard.held.contains(id) && shard.held[id].stamp_ns == stamp) continue;  // it has its place already
        const Access access{.stamp_ns = stamp, .depth_tokens = depth};
        shard.held.contains(id) ? shard.policy->OnAccess(id, access) : shard.policy->OnInsert(id, access);
        shard.held[id] = {stamp, depth};
      }
      for (Shard& shard : shards) {
        while (shard.held.size() > 20) {
          const BlockId victim = shard.policy->Victim(kAny, SIZE_MAX);
          ASSERT_TRUE(shard.held.contains(victim));
          const auto is_dead = [&](const Held& block) {
            return cut.contains(block.stamp_ns) && block.depth > cut[block.stamp_ns];
          };
          bool any_dead = false;
          for (const auto& [id, block] : shard.held) any_dead |= is_dead(block);
          const Held gone = shard.held[victim];
          ASSERT_EQ(is_dead(gone), any_dead);
          dead_victims += any_dead;
          const auto known = cut.try_emplace(gone.stamp_ns, gone.depth).first;
          known->second = std::min(known->second, gone.depth);
          shard.policy->OnRemove(victim);
          shard.held.erase(victim);
        }
        ASSERT_EQ(shard.policy->size(), shard.held.size());
      }
    }
    EXPECT_GT(dead_victims, 50u);
  }
}

}  // namespace
}  // namespace incipit
