#include "eviction/block_list.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace incipit {
namespace {

TEST(BlockListTest, KeepsOrderThroughRandomErasures) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    BlockLinks links;
    BlockList list;
    std::deque<BlockId> expected;
    for (int i = 0; i < 2000; ++i) {
      const auto id = static_cast<BlockId>(random() % 50);
      links.Reserve(id);
      if (std::erase(expected, id) > 0) links.Erase(&list, id);
      if (random() % 3 != 0) {
        links.PushBack(&list, id);
        expected.push_back(id);
      }
      ASSERT_EQ(list.count, expected.size()) << "seed " << seed;
      BlockId at = list.front;
      for (const BlockId wanted : expected) {
        ASSERT_EQ(at, wanted) << "seed " << seed;
        at = links.Next(at);
      }
      ASSERT_EQ(at, kNoBlock);
      ASSERT_EQ(list.back, expected.empty() ? kNoBlock : expected.back());
    }
  }
}

}  // namespace
}  // namespace incipit
