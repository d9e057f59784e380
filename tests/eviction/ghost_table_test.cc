#include "eviction/ghost_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace incipit {
namespace {

TEST(GhostTableTest, BehavesAsAQueueWithLookUp) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    GhostTable<uint32_t> table;
    std::deque<std::pair<uint64_t, uint32_t>> expected;
    for (uint32_t i = 0; i < 20'000; ++i) {
      const uint64_t key = 1 + random() % 700;
      const auto found =
          std::find_if(expected.begin(), expected.end(), [&](const auto& ghost) { return ghost.first == key; });
      if (random() % 4 == 0) {
        const std::optional<uint32_t> oldest = table.DropOldest();
        ASSERT_EQ(oldest.has_value(), !expected.empty()) << "seed " << seed;
        if (!expected.empty()) {
          ASSERT_EQ(*oldest, expected.front().second) << "seed " << seed;
          expected.pop_front();
        }
        continue;
      }
      const std::optional<uint32_t> taken = table.Take(key);
      ASSERT_EQ(taken.has_value(), found != expected.end()) << "seed " << seed << ", step " << i;
      if (taken.has_value()) {
        ASSERT_EQ(*taken, found->second);
        expected.erase(found);
      } else {
        table.Add(key, i);
        expected.push_back({key, i});
      }
      ASSERT_EQ(table.size(), expected.size());
    }
  }
}

TEST(GhostTableTest, EmptyTableFindsNothing) {
  GhostTable<int> table;
  EXPECT_FALSE(table.Take(1).has_value());
  EXPECT_FALSE(table.DropOldest().has_value());
}

TEST(GhostTableTest, MemoryDoesNotGrowWhileItsSizeIsBounded) {
  GhostTable<int> table;
  uint64_t most = 0;
  for (int i = 0; i < 100'000; ++i) {
    table.Add(static_cast<uint64_t>(i) + 1, i);
    if (table.size() > 1000) table.DropOldest();
    if (i == 5000) most = table.MemoryBytes();
  }
  EXPECT_LE(table.MemoryBytes(), most);
}

}  // namespace
}  // namespace incipit
