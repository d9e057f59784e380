#include "eviction/list_policy.h"

#include <gtest/gtest.h>

#include "eviction/fifo.h"

namespace incipit {
namespace {

TEST(ListPolicyTest, TouchesWithAnOlderOrEqualStampChangeNothing) {
  Fifo policy;
  policy.OnInsert(0, {.stamp_ns = 10, .depth_tokens = 5});
  policy.OnAccess(0, {.stamp_ns = 9, .depth_tokens = 1});
  EXPECT_EQ(policy.StampOf(0), 10u);
  policy.OnAccess(0, {.stamp_ns = 11, .depth_tokens = 1});
  EXPECT_EQ(policy.StampOf(0), 11u);
}

TEST(ListPolicyTest, NewerAndShallowerBlocksOutrankOthers) {
  Fifo policy;
  policy.OnInsert(0, {.stamp_ns = 10, .depth_tokens = 5});
  policy.OnInsert(1, {.stamp_ns = 10, .depth_tokens = 6});
  policy.OnInsert(2, {.stamp_ns = 11, .depth_tokens = 7});
  EXPECT_TRUE(policy.Outranks(0, 1));
  EXPECT_FALSE(policy.Outranks(1, 0));
  EXPECT_TRUE(policy.Outranks(2, 0));
}

TEST(ListPolicyTest, LooksAtNoMoreCandidatesThanAllowed) {
  Fifo policy;
  for (BlockId id = 0; id < 10; ++id) policy.OnInsert(id, {.stamp_ns = id + 1u});
  int asked = 0;
  const auto never = [&](BlockId) { return ++asked < 0; };
  EXPECT_EQ(policy.Victim(never, 4), kNoBlock);
  EXPECT_EQ(asked, 4);
}

TEST(ListPolicyDeathTest, BrokenContractsEndTheProcess) {
  Fifo policy;
  policy.OnInsert(3, {.stamp_ns = 1});
  EXPECT_DEATH(policy.OnInsert(3, {.stamp_ns = 2}), "already held");
  EXPECT_DEATH(policy.OnAccess(2, {.stamp_ns = 2}), "not held");
  EXPECT_DEATH(policy.OnRemove(9), "not held");
}

}  // namespace
}  // namespace incipit
