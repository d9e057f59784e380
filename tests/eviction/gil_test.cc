#include "eviction/gil.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace incipit {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr auto kAny = [](BlockId) { return true; };

TEST(GilTest, BeforeItLearnsItEvictsLikeLeafFirstLru) {
  GilPolicy policy({.capacity_blocks = 100});
  for (BlockId id = 0; id < 12; ++id) {
    policy.OnInsert(id, {.stamp_ns = (1 + id / 4u) * kSecond, .depth_tokens = 512 * (id % 4), .key = id + 1u});
  }
  // Ages that fall into one step of half an octave do not differ; the first group's leaf is the oldest.
  for (const BlockId expected : {3u, 2u, 1u, 0u}) {
    const BlockId victim = policy.Victim(kAny, SIZE_MAX);
    EXPECT_EQ(victim, expected);
    policy.OnRemove(victim);
  }
}

// A group is what one request touched. Its deepest block must go before the others, whatever the order of touches.
TEST(GilTest, WithinARequestTheDeepestBlockGoesFirst) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    GilPolicy policy({.capacity_blocks = 1000, .seed = seed});
    std::map<BlockId, std::pair<uint64_t, uint32_t>> held;  // stamp, depth
    for (uint64_t request = 1; request <= 60; ++request) {
      std::vector<BlockId> chain;
      for (BlockId id = 0; id < 200; ++id) {
        if (random() % 10 == 0) chain.push_back(id);
      }
      std::shuffle(chain.begin(), chain.end(), random);
      for (const BlockId id : chain) {
        const uint32_t depth = id * 7 % 50 * 512;
        const Access access{.stamp_ns = request * kSecond, .depth_tokens = depth, .key = id + 1u};
        held.contains(id) ? policy.OnAccess(id, access) : policy.OnInsert(id, access);
        held[id] = {access.stamp_ns, depth};
      }
      while (held.size() > 60) {
        const BlockId victim = policy.Victim(kAny, SIZE_MAX);
        for (const auto& [id, place] : held) {
          ASSERT_TRUE(place.first != held[victim].first || place.second <= held[victim].second) << "seed " << seed;
        }
        policy.OnRemove(victim);
        held.erase(victim);
      }
    }
  }
}

// A naive search over all groups' leaves; few groups are all looked at, so the policy must find the very minimum.
TEST(GilTest, VictimIsTheLeastOfAllLeaves) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    GilPolicy policy({.capacity_blocks = 200,
                      .seed = seed,
                      .cost_exponent = seed % 2 == 0 ? 1.0 : 0.0,
                      .cost = CostModelOf("deepseek-v3")});
    std::map<BlockId, uint64_t> held;  // stamp
    uint64_t now = 0;
    for (int request = 0; request < 3000; ++request) {
      now += 1 + random() % (20 * kSecond);
      const uint64_t family = std::min(random() % 40, random() % 40);
      for (BlockId depth = 10; depth-- > 0;) {
        const BlockId id = static_cast<BlockId>(family * 10 + depth);
        const Access access{.stamp_ns = now,
                            .depth_tokens = 512 * depth,
                            .turn = static_cast<uint32_t>(1 + family % 3),
                            .key = id + 1u};
        held.contains(id) ? policy.OnAccess(id, access) : policy.OnInsert(id, access);
        held[id] = now;
      }
      uint64_t last_group = 0;
      while (held.size() > 200) {
        std::map<uint64_t, BlockId> leaves;  // by stamp; ids grow with depth
        for (const auto& [id, stamp] : held) leaves[stamp] = std::max(leaves[stamp], id);
        ASSERT_LE(leaves.size(), 64u);
        const BlockId victim = policy.Victim(kAny, SIZE_MAX);
        ASSERT_EQ(leaves[held[victim]], victim) << "no leaf; seed " << seed;
        // It stays with a group for a few blocks; a group that it has just chosen was compared with all.
        for (const auto& [stamp, leaf] : leaves) {
          ASSERT_FALSE(held[victim] != last_group && policy.Outranks(victim, leaf)) << "seed " << seed;
        }
        last_group = held[victim];
        policy.OnRemove(victim);
        held.erase(victim);
      }
    }
  }
}

TEST(GilTest, LearnsThatOneShotPromptsDoNotComeBack) {
  GilPolicy policy({.capacity_blocks = 100});
  std::map<BlockId, uint32_t> held;  // turn
  BlockId next = 0;
  std::vector<BlockId> unused;
  uint64_t evicted_talks = 0, evicted_shots = 0;
  std::map<uint64_t, BlockId> by_key;
  for (uint64_t i = 1; i < 20'000; ++i) {
    // Keys below 50 come back every 50 steps with turn 2; others come once, with turn 1.
    const bool talk = i % 2 == 0;
    const uint64_t key = talk ? 1 + (i / 2) % 50 : 1000 + i;
    const Access access{.stamp_ns = i * kSecond / 10, .turn = talk ? 2u : 1u, .key = key};
    if (by_key.contains(key)) {
      policy.OnAccess(by_key[key], access);
      continue;
    }
    BlockId id = next;
    if (unused.empty()) {
      ++next;
    } else {
      id = unused.back();
      unused.pop_back();
    }
    policy.OnInsert(id, access);
    by_key[key] = id;
    held[id] = access.turn;
    while (policy.size() > 60) {
      const BlockId victim = policy.Victim(kAny, SIZE_MAX);
      if (i > 10'000) ++(held[victim] == 2 ? evicted_talks : evicted_shots);
      policy.OnRemove(victim);
      std::erase_if(by_key, [&](const auto& known) { return known.second == victim; });
      held.erase(victim);
      unused.push_back(victim);
    }
  }
  EXPECT_GT(evicted_shots, 4000u);
  EXPECT_LT(evicted_talks, 50u);
}

TEST(GilTest, AnnouncedBlocksStayUntilTheirTimeIsPast) {
  GilPolicy policy({.capacity_blocks = 10});
  for (BlockId id = 0; id < 4; ++id) policy.OnInsert(id, {.stamp_ns = (id + 1u) * kSecond, .key = id + 1u});
  policy.OnHint(0, {.next_use_ns = 10 * kSecond});
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 1u);
  EXPECT_TRUE(policy.Outranks(0, 1));
  // A request comes long after the announced time: the hint was wrong.
  policy.OnInsert(4, {.stamp_ns = 100 * kSecond, .key = 5});
  policy.OnRemove(1);
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 0u);
}

TEST(GilTest, ExpiredBlocksGoFirst) {
  GilPolicy policy({.capacity_blocks = 10});
  for (BlockId id = 0; id < 4; ++id) policy.OnInsert(id, {.stamp_ns = (id + 1u) * kSecond, .key = id + 1u});
  policy.OnHint(3, {.expires_ns = 5 * kSecond});
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 0u);
  policy.OnRemove(0);
  policy.OnInsert(4, {.stamp_ns = 6 * kSecond, .key = 5});
  for (int i = 0; i < 8 && policy.Victim(kAny, SIZE_MAX) != 3; ++i) policy.OnRemove(policy.Victim(kAny, SIZE_MAX));
  EXPECT_EQ(policy.Victim(kAny, SIZE_MAX), 3u);
  EXPECT_GE(policy.size(), 2u);
}

TEST(GilTest, PoliciesThatShareAModelLearnTogether) {
  const std::shared_ptr<ReuseModel> model = NewReuseModel(100);
  GilPolicy first({.capacity_blocks = 50, .model = model});
  {
    GilPolicy second({.capacity_blocks = 50, .model = model});
    for (BlockId id = 0; id < 40; ++id) {
      for (uint64_t i = 0; i < 60; ++i) {
        const Access access{.stamp_ns = (i * 40 + id + 1) * kSecond, .turn = 3, .key = id + 1u};
        i == 0 ? second.OnInsert(id, access) : second.OnAccess(id, access);
      }
    }
  }
  // The first has seen nothing itself, and knows all the same that blocks come back after 40 s: that one which has
  // waited for 35 is worth more than a new one.
  first.OnInsert(0, {.stamp_ns = 5000 * kSecond, .turn = 3, .key = 1});
  first.OnInsert(1, {.stamp_ns = 5035 * kSecond, .turn = 3, .key = 2});
  EXPECT_TRUE(first.Outranks(0, 1));
}

TEST(GilTest, DepthIsWorthWhatItCostsInTheBlocksOwnModel) {
  const CostModel flat{.linear_flops_per_token = 1},
      steep{.linear_flops_per_token = 1, .attention_flops_per_token_and_depth = 1};
  GilPolicy policy({.capacity_blocks = 10, .cost_exponent = 1, .cost = flat});
  const auto access = [](uint64_t key, const CostModel* cost) {
    return Access{.stamp_ns = kSecond, .depth_tokens = 1000, .key = key, .cost = cost};
  };
  policy.OnInsert(0, access(1, &steep));
  policy.OnInsert(1, access(2, nullptr));
  policy.OnInsert(2, access(3, &flat));
  EXPECT_TRUE(policy.Outranks(0, 1));
  EXPECT_TRUE(policy.Outranks(0, 2));
  EXPECT_FALSE(policy.Outranks(1, 2) && policy.Outranks(2, 1));
  EXPECT_NE(policy.Victim(kAny, SIZE_MAX), 0u);
}

// Connections of a shard store in turns: what each request touches is one group all the same.
TEST(GilTest, RequestsThatComeBlockByBlockInTurnsKeepTheirOrder) {
  GilPolicy policy({.capacity_blocks = 100});
  constexpr BlockId kRequests = 3, kDepths = 6;
  for (BlockId depth = 0; depth < kDepths; ++depth) {
    for (BlockId request = 0; request < kRequests; ++request) {
      policy.OnInsert(depth * kRequests + request,
                      {.stamp_ns = kSecond + request, .depth_tokens = 512 * depth, .key = 100u * request + depth + 1});
    }
  }
  std::map<BlockId, BlockId> left = {{0, kDepths}, {1, kDepths}, {2, kDepths}};  // by request: its held blocks
  for (BlockId i = 0; i < kRequests * kDepths; ++i) {
    const BlockId victim = policy.Victim(kAny, SIZE_MAX);
    EXPECT_EQ(victim / kRequests, --left[victim % kRequests]) << "not the deepest of its request";
    policy.OnRemove(victim);
  }
}

}  // namespace
}  // namespace incipit
