#include "eviction/lfu.h"

#include <algorithm>

#include "tests/eviction/policy_driver.h"

namespace incipit {
namespace {

class PlainLfu : public ReferencePolicy {
 public:
  explicit PlainLfu(bool keeps) : keeps_(keeps) {}
  void Insert(uint64_t key, const Access& access) override {
    if (!keeps_) counts_[key] = 0;
    Touch(key, access);
  }
  void Touch(uint64_t key, const Access& access) override {
    ++counts_[key];
    stamps_[key] = access.stamp_ns;
  }
  uint64_t Victim() override {
    return std::min_element(stamps_.begin(), stamps_.end(),
                            [&](const auto& a, const auto& b) {
                              return std::pair(counts_[a.first], a.second) < std::pair(counts_[b.first], b.second);
                            })
        ->first;
  }
  void Remove(uint64_t key) override { stamps_.erase(key); }

 private:
  bool keeps_;
  std::map<uint64_t, int> counts_;
  std::map<uint64_t, uint64_t> stamps_;  // of held ones
};

TEST(LfuTest, EvictsAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Lfu policy(LfuOptions{});
    PlainLfu reference(/*keeps=*/false);
    CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
  }
}

TEST(LfuTest, KeptCountsEvictAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Lfu policy({.kept_counts = 1000});
    PlainLfu reference(/*keeps=*/true);
    CompareVictims(&policy, &reference, seed, {.extra_removals = 20});
  }
}

TEST(LfuTest, ForgetsTheOldestCountsBeyondItsLimit) {
  Lfu policy({.kept_counts = 1});
  const auto insert_and_remove = [&](uint64_t key, int touches) {
    for (int i = 0; i < touches; ++i) {
      const Access access{.stamp_ns = key * 100 + static_cast<uint64_t>(i) + 1, .key = key};
      if (i == 0) {
        policy.OnInsert(0, access);
      } else {
        policy.OnAccess(0, access);
      }
    }
    policy.OnRemove(0);
  };
  insert_and_remove(1, 5);
  insert_and_remove(2, 3);                           // pushes out what was known of 1
  policy.OnInsert(0, {.stamp_ns = 1000, .key = 1});  // counts 1
  policy.OnInsert(1, {.stamp_ns = 900, .key = 2});   // counts 4
  policy.OnInsert(2, {.stamp_ns = 1100, .key = 3});  // counts 1, and is newer
  EXPECT_EQ(policy.Victim([](BlockId) { return true; }, 10), 0u);
  EXPECT_TRUE(policy.Outranks(1, 2));
}

}  // namespace
}  // namespace incipit
