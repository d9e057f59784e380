#include "eviction/policies.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace incipit {
namespace {

constexpr auto kAny = [](BlockId) { return true; };

class EveryPolicyTest : public testing::TestWithParam<std::string> {
 protected:
  static std::unique_ptr<Policy> Make(size_t capacity, uint64_t seed = 1) {
    absl::StatusOr<std::unique_ptr<Policy>> made =
        MakePolicy(GetParam(), {.capacity_blocks = capacity, .seed = seed, .cost = CostModelOf("deepseek-v3")});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
};

// What every policy owes its caller, whatever it values. Ids are given out anew, keys come back, some blocks are
// removed from the side, some may not be evicted.
void Exercise(Policy* policy, uint64_t seed, std::vector<BlockId>* victims) {
  constexpr size_t kCapacity = 50;
  std::mt19937_64 random(seed);
  std::map<BlockId, std::pair<uint64_t, uint64_t>> held;  // key, stamp
  std::map<uint64_t, BlockId> by_key;
  std::vector<BlockId> unused;
  const auto remove = [&](BlockId id) {
    policy->OnRemove(id);
    by_key.erase(held[id].first);
    held.erase(id);
    unused.push_back(id);
  };
  for (uint64_t request = 1; request < 800; ++request) {
    const uint64_t stamp = request * 300'000'000;
    const uint64_t family = std::min(random() % 30, random() % 30);
    const auto turn = static_cast<uint32_t>(1 + random() % 4);
    for (uint64_t depth = random() % 12; depth-- > 0;) {
      const uint64_t key = 1 + (depth < 2 ? depth : family * 100 + depth);
      const Access access{.stamp_ns = stamp,
                          .depth_tokens = static_cast<uint32_t>(512 * depth),
                          .bytes = 1,
                          .turn = turn,
                          .key = key,
                          .output_tokens = static_cast<uint32_t>(random() % 2000)};
      if (const auto found = by_key.find(key); found != by_key.end()) {
        policy->OnAccess(found->second, access);
        held[found->second].second = stamp;
        if (random() % 8 == 0) policy->OnHint(found->second, {.next_use_ns = stamp + random() % 5'000'000'000});
        continue;
      }
      BlockId id = static_cast<BlockId>(held.size() + unused.size());
      if (!unused.empty()) {
        id = unused.back();
        unused.pop_back();
      }
      policy->OnInsert(id, access);
      held[id] = {key, stamp};
      by_key[key] = id;
    }
    while (policy->size() > kCapacity) {
      const uint64_t pinned = random() % 5;  // a fifth of the blocks may not go
      const auto evictable = [&](BlockId id) { return id % 5 != pinned; };
      const BlockId victim = policy->Victim(evictable, SIZE_MAX);
      ASSERT_NE(victim, kNoBlock);
      ASSERT_TRUE(held.contains(victim) && evictable(victim)) << victim;
      victims->push_back(victim);
      remove(victim);
    }
    if (!held.empty() && random() % 10 == 0) remove(std::next(held.begin(), random() % held.size())->first);
    ASSERT_EQ(policy->size(), held.size());
    for (const auto& [id, known] : held) ASSERT_EQ(policy->StampOf(id), known.second);
  }
  ASSERT_EQ(policy->Victim([](BlockId) { return false; }, SIZE_MAX), kNoBlock);
  while (!held.empty()) remove(policy->Victim(kAny, SIZE_MAX));
  ASSERT_EQ(policy->Victim(kAny, SIZE_MAX), kNoBlock);
}

TEST_P(EveryPolicyTest, KeepsItsContractUnderRandomUse) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::vector<BlockId> victims;
    Exercise(Make(50).get(), seed, &victims);
    EXPECT_GT(victims.size(), 500u);
  }
}

TEST_P(EveryPolicyTest, SameSeedMeansSameVictims) {
  std::vector<BlockId> first, second;
  Exercise(Make(50, 3).get(), 9, &first);
  Exercise(Make(50, 3).get(), 9, &second);
  EXPECT_EQ(first, second);
}

TEST_P(EveryPolicyTest, OutranksIsNeverTrueBothWays) {
  const std::unique_ptr<Policy> policy = Make(50);
  for (BlockId id = 0; id < 30; ++id) {
    policy->OnInsert(id, {.stamp_ns = 1 + id / 4u, .depth_tokens = 512 * (id % 4), .bytes = 1, .key = id + 1u});
  }
  for (BlockId id = 0; id < 30; id += 3) policy->OnAccess(id, {.stamp_ns = 100, .bytes = 1, .key = id + 1u});
  for (BlockId a = 0; a < 30; ++a) {
    EXPECT_FALSE(policy->Outranks(a, a));
    for (BlockId b = 0; b < a; ++b) EXPECT_FALSE(policy->Outranks(a, b) && policy->Outranks(b, a)) << a << " " << b;
  }
}

TEST_P(EveryPolicyTest, BlocksWithoutKeysAreServedToo) {
  const std::unique_ptr<Policy> policy = Make(10);
  for (BlockId id = 0; id < 200; ++id) {
    policy->OnInsert(id, {.stamp_ns = id + 1u, .bytes = 1});
    while (policy->size() > 10) policy->OnRemove(policy->Victim(kAny, SIZE_MAX));
  }
  EXPECT_EQ(policy->size(), 10u);
}

TEST_P(EveryPolicyTest, MemoryIsBoundedByWhatIsHeldAndTheHistory) {
  const std::unique_ptr<Policy> policy = Make(100);
  uint64_t early = 0;
  for (uint64_t i = 0; i < 60'000; ++i) {
    const auto id = static_cast<BlockId>(i % 100);
    policy->OnInsert(id, {.stamp_ns = (i + 1) * 1'000'000, .bytes = 1, .key = i + 1});
    policy->OnRemove(id);
    if (i == 30'000) early = policy->MemoryBytes();
  }
  EXPECT_GT(early, 0u);
  EXPECT_LE(policy->MemoryBytes(), early + early / 4);
}

INSTANTIATE_TEST_SUITE_P(ByName, EveryPolicyTest, testing::ValuesIn(PolicyNames()), [](const auto& named) {
  std::string name;
  for (const char c : named.param) {
    if (c != '-') name += c;
  }
  return name;
});

TEST(PoliciesTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  const absl::Status status = MakePolicy("clock", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("gil-cost"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace incipit
