#include "eviction/auto_policy.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "eviction/fifo.h"
#include "eviction/lfu.h"
#include "eviction/sim/policy_sim.h"

namespace incipit {
namespace {

constexpr auto kAny = [](BlockId) { return true; };

template <typename... Policies>
AutoOptions Duel(size_t capacity, Policies... contestants) {
  AutoOptions options{.capacity_blocks = capacity};
  (options.contestants.push_back(std::move(contestants)), ...);
  return options;
}

std::unique_ptr<Policy> NewLfuKept() { return std::make_unique<Lfu>(LfuOptions{.kept_counts = 100'000}); }

// Prompts of four blocks: `popular` of a hundred families, else a prompt that comes once. Returns the trace.
PrefixTrace PopularAndOneShots(uint64_t seed, int requests) {
  std::mt19937_64 random(seed);
  PrefixTrace trace(16);
  uint64_t once = 1'000'000;
  for (int i = 0; i < requests; ++i) {
    const bool popular = random() % 3 == 0;
    const uint64_t family = popular ? random() % 100 : ++once;
    const std::vector<uint64_t> ids = {family * 10, family * 10 + 1, family * 10 + 2, family * 10 + 3};
    trace.Add(static_cast<uint64_t>(i) * 100, 64, 10, ids);
  }
  trace.Finish();
  return trace;
}

// Working sets that are used for a while and never again: LRU's home ground.
PrefixTrace MovingOn(uint64_t seed, int requests) {
  std::mt19937_64 random(seed);
  PrefixTrace trace(16);
  for (int i = 0; i < requests; ++i) {
    const uint64_t family = static_cast<uint64_t>(i / 60) * 20 + random() % 50;
    const std::vector<uint64_t> ids = {family * 10, family * 10 + 1, family * 10 + 2, family * 10 + 3};
    trace.Add(static_cast<uint64_t>(i) * 100, 64, 10, ids);
  }
  trace.Finish();
  return trace;
}

double HitRatio(const PrefixTrace& trace, size_t capacity, const std::function<std::unique_ptr<Policy>()>& make) {
  return SimulatePolicy(trace, {.capacity_blocks = capacity}, [&](size_t, uint32_t) { return make(); })
      .totals.TokenHitRatio();
}

TEST(AutoPolicyTest, AloneItDoesWhatItsContestantDoes) {
  const PrefixTrace trace = PopularAndOneShots(1, 5000);
  EXPECT_EQ(HitRatio(trace, 200, [] { return std::make_unique<AutoPolicy>(Duel(200, MakeLeafFirstLru())); }),
            HitRatio(trace, 200, MakeLeafFirstLru));
}

TEST(AutoPolicyTest, FollowsWhoeverHitsMore) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const PrefixTrace trace = PopularAndOneShots(seed, 60'000);
    const double lru = HitRatio(trace, 300, MakeLeafFirstLru);
    const double lfu = HitRatio(trace, 300, NewLfuKept);
    const double both =
        HitRatio(trace, 300, [] { return std::make_unique<AutoPolicy>(Duel(300, MakeLeafFirstLru(), NewLfuKept())); });
    ASSERT_GT(lfu, lru + 0.05) << "the test's own premise; seed " << seed;
    EXPECT_GT(both, lru + 0.6 * (lfu - lru)) << "seed " << seed;
  }
}

TEST(AutoPolicyTest, StaysWithLruWhereFrequencyMisleads) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const PrefixTrace trace = MovingOn(seed, 40'000);
    const double lru = HitRatio(trace, 250, MakeLeafFirstLru);
    ASSERT_GT(lru, HitRatio(trace, 250, NewLfuKept) + 0.05) << "the test's own premise; seed " << seed;
    EXPECT_GT(
        HitRatio(trace, 250, [] { return std::make_unique<AutoPolicy>(Duel(250, MakeLeafFirstLru(), NewLfuKept())); }),
        lru - 0.003)
        << "seed " << seed;
  }
}

TEST(AutoPolicyTest, TakesTheLeadBackWhenTheWorkloadChanges) {
  AutoPolicy policy(Duel(100, MakeLeafFirstLru(), NewLfuKept()));
  std::map<uint64_t, BlockId> held;
  std::vector<uint64_t> key_of;
  std::vector<BlockId> unused;
  uint64_t stamp = 0;
  const auto touch = [&](uint64_t key) {
    const Access access{.stamp_ns = ++stamp, .key = key};
    if (held.contains(key)) return policy.OnAccess(held[key], access);
    BlockId id = static_cast<BlockId>(key_of.size());
    if (unused.empty()) {
      key_of.push_back(key);
    } else {
      id = unused.back();
      unused.pop_back();
      key_of[id] = key;
    }
    held[key] = id;
    policy.OnInsert(id, access);
    while (policy.size() > 100) {
      const BlockId victim = policy.Victim(kAny, SIZE_MAX);
      policy.OnRemove(victim);
      held.erase(key_of[victim]);
      unused.push_back(victim);
    }
  };
  std::mt19937_64 random(5);
  for (int i = 0; i < 100'000; ++i) touch(i % 3 == 0 ? 1 + random() % 80 : 1'000 + static_cast<uint64_t>(i));
  EXPECT_EQ(policy.leader(), "lfu-kept");
  for (int i = 0; i < 600'000; ++i) touch(10'000'000 + static_cast<uint64_t>(i / 1000) * 30 + random() % 90);
  EXPECT_EQ(policy.leader(), "leaf-first-lru");
  EXPECT_GE(policy.switches(), 2u);
  EXPECT_LE(policy.switches(), 6u);
}

TEST(AutoPolicyTest, MemoryIsThatOfItsContestantsAndTheBlocksInThem) {
  AutoPolicy policy(Duel(100, MakeLeafFirstLru(), std::unique_ptr<Policy>(new Fifo())));
  for (BlockId i = 0; i < 50'000; ++i) {
    policy.OnInsert(i % 100, {.stamp_ns = i + 1u, .key = i + 1u});
    policy.OnRemove(i % 100);
  }
  EXPECT_EQ(policy.size(), 0u);
  EXPECT_LT(policy.MemoryBytes(), 300u * 400);
}

// Capacities are estimates: where a shadow has room for more than the tier, what it holds beside the tier is no
// candidate.
TEST(AutoPolicyTest, FindsVictimsBehindWhatOnlyItsShadowHolds) {
  AutoPolicy policy(Duel(5'000, MakeLeafFirstLru()));
  for (BlockId i = 0; i < 2'000; ++i) {
    policy.OnInsert(i, {.stamp_ns = i + 1u, .key = i + 1u});
    if (i < 1'000) policy.OnRemove(i);
  }
  EXPECT_EQ(policy.Victim(kAny, 16), 1'000u);
  int asked = 0;
  const auto refuse = [&](BlockId) {
    ++asked;
    return false;
  };
  EXPECT_EQ(policy.Victim(refuse, 16), kNoBlock);
  EXPECT_EQ(asked, 16);
}

}  // namespace
}  // namespace incipit
