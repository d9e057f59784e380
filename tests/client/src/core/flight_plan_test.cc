#include "client/src/core/flight_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/blocks.h"

namespace incipit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::BlockState;

GroupSpec GroupOf(uint32_t block_tokens, uint32_t segment_bytes_per_token = 4) {
  return {.name = "g", .block_tokens = block_tokens, .layers = 2, .bytes_per_entry = segment_bytes_per_token};
}

std::vector<BlockKey> Keys(size_t count) {
  std::vector<BlockKey> keys;
  for (size_t i = 0; i < count; ++i) keys.emplace_back(testing::KeyOf(i));
  return keys;
}

TEST(FlightPlan, PartsAreInTheOrderInWhichTheirBlocksEnd) {
  const Layout layout{.name = "two", .groups = {GroupOf(64), GroupOf(16)}};
  const std::vector<BlockKey> a = Keys(2), b = Keys(5);
  const FlightPlan plan(layout, {KeyList(a), KeyList(b)},
                        {std::vector(2, Presence::kMiss), std::vector(5, Presence::kMiss)});
  std::vector<std::pair<uint64_t, int>> order;
  for (const FlightPlan::Part& part : plan.parts()) order.emplace_back(part.end_tokens, part.key.group);
  EXPECT_THAT(order, ElementsAre(std::pair(16, 1), std::pair(32, 1), std::pair(48, 1), std::pair(64, 0),
                                 std::pair(64, 1), std::pair(80, 1), std::pair(128, 0)));
  EXPECT_EQ(plan.parts()[3].key.depth_tokens, 0u);
  EXPECT_EQ(plan.parts()[6].key.depth_tokens, 64u);
}

TEST(FlightPlan, OnlyMissesAreInIt) {
  const Layout layout{.name = "one", .groups = {GroupOf(16)}};
  const std::vector<BlockKey> keys = Keys(3);
  FlightPlan plan(layout, {KeyList(keys)}, {{Presence::kRam, Presence::kMiss, Presence::kNvme}});
  ASSERT_EQ(plan.parts().size(), 1u);
  EXPECT_EQ(plan.parts()[0].block, 1u);
  EXPECT_THAT(plan.RestorableNow(), ElementsAre(16));
  plan.parts()[0].state = BlockState::kNvme;
  EXPECT_THAT(plan.Presence()[0], ElementsAre(Presence::kRam, Presence::kNvme, Presence::kNvme));
  EXPECT_THAT(plan.RestorableNow(), ElementsAre(16, 32, 48));
}

TEST(FlightPlan, TheHeadIsTheFirstMissingOneBehindWhatIsThere) {
  const Layout layout{.name = "one", .groups = {GroupOf(16)}};
  const std::vector<BlockKey> keys = Keys(3);
  FlightPlan plan(layout, {KeyList(keys)}, {std::vector(3, Presence::kMiss)});
  EXPECT_EQ(plan.Head(0), 0u);
  EXPECT_EQ(plan.Head(16), 1u);
  EXPECT_EQ(plan.Head(48), FlightPlan::kNone);
  plan.parts()[0].state = BlockState::kRam;
  EXPECT_EQ(plan.Head(0), 1u);
  plan.parts()[1].state = BlockState::kComputing;
  EXPECT_EQ(plan.Head(0), 1u);
}

TEST(FlightPlan, ABlockInPartsIsHereWhenAllPartsAre) {
  GroupSpec group = GroupOf(16);
  group.layers = 3;
  group.bytes_per_entry = 2 << 20;  // 32 MiB a segment
  const Layout layout{.name = "parts", .groups = {group}};
  ASSERT_GT(layout.groups[0].PartCount(), 1u);
  const std::vector<BlockKey> keys = Keys(2);
  FlightPlan plan(layout, {KeyList(keys)}, {std::vector(2, Presence::kMiss)});
  ASSERT_EQ(plan.parts().size(), 2 * layout.groups[0].PartCount());
  EXPECT_EQ(plan.parts()[0].block, 0u);
  EXPECT_EQ(plan.parts()[1].key.part, 1u);
  plan.parts()[0].state = BlockState::kRam;
  EXPECT_THAT(plan.RestorableNow(), IsEmpty());
  for (FlightPlan::Part& part : plan.parts()) part.state = part.block == 0 ? BlockState::kRam : BlockState::kFree;
  EXPECT_THAT(plan.RestorableNow(), ElementsAre(16));
}

}  // namespace
}  // namespace incipit
