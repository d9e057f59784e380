#include "cluster/warming/value_order.h"

#include <gtest/gtest.h>

#include "cache/seams/random.h"

namespace incipit {
namespace {

TEST(ValueOrderTest, LastUsedComeFirstAndOpeningsBeforeWhatFollows) {
  ValueOrder order;
  order.Add({.stamp_ns = 5, .id = 1, .depth_tokens = 64});
  order.Add({.stamp_ns = 9, .id = 2, .depth_tokens = 64});
  order.Add({.stamp_ns = 9, .id = 3, .depth_tokens = 0});
  order.Finish();
  std::vector<BlockId> ids;
  while (!order.empty()) ids.push_back(order.Next().id);
  EXPECT_EQ(ids, (std::vector<BlockId>{3, 2, 1}));
}

TEST(ValueOrderTest, NoBlocksAreNone) {
  ValueOrder order;
  order.Finish();
  EXPECT_TRUE(order.empty());
}

TEST(ValueOrderTest, ManyRunsComeOutAsOne) {
  for (const size_t count : {ValueOrder::kRunBlocks - 1, ValueOrder::kRunBlocks, 5 * ValueOrder::kRunBlocks + 3}) {
    const auto random = MakeSeededRandom(count);
    ValueOrder order;
    for (size_t i = 0; i < count; ++i) {
      order.Add({.stamp_ns = random->Below(1000),
                 .id = static_cast<BlockId>(i),
                 .depth_tokens = static_cast<uint32_t>(random->Below(100))});
    }
    order.Finish();
    std::vector<bool> seen(count, false);
    ValuedBlock last{.stamp_ns = UINT64_MAX};
    for (size_t i = 0; i < count; ++i) {
      ASSERT_FALSE(order.empty());
      const ValuedBlock next = order.Next();
      EXPECT_FALSE(seen[next.id]);
      seen[next.id] = true;
      EXPECT_TRUE(next.stamp_ns < last.stamp_ns ||
                  (next.stamp_ns == last.stamp_ns && next.depth_tokens >= last.depth_tokens));
      last = next;
    }
    EXPECT_TRUE(order.empty());
  }
}

}  // namespace
}  // namespace incipit
