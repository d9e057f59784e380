#include "eviction/sim/tier_sim.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace incipit {
namespace {

TierSim MakeSim(const std::vector<size_t>& capacities) {
  std::vector<SimTier> tiers;
  for (const size_t capacity : capacities) tiers.push_back({MakeLeafFirstLru(), capacity});
  return TierSim(std::move(tiers), 10);
}

TEST(TierSimTest, HitsAreTheLeadingBlocksThatAreHeld) {
  TierSim sim = MakeSim({10});
  EXPECT_EQ(sim.Replay({0, 25, {1, 2, 3}}), 0u);
  EXPECT_EQ(sim.Replay({0, 25, {1, 2, 4}}), 2u);
  EXPECT_EQ(sim.Replay({0, 40, {9, 1, 2, 3}}), 0u);
  // The third block of the prompt is half filled.
  EXPECT_EQ(sim.Replay({0, 25, {1, 2, 3}}), 3u);
  EXPECT_EQ(sim.result().requests, 4u);
  EXPECT_EQ(sim.result().input_tokens, 115u);
  EXPECT_EQ(sim.result().hit_tokens, 45u);
  EXPECT_EQ(sim.result().hit_blocks, (std::vector<uint64_t>{5}));
  EXPECT_DOUBLE_EQ(sim.result().TokenHitRatio(), 45.0 / 115);
}

TEST(TierSimTest, FullTierGivesUpTheLeavesOfTheOldestRequest) {
  TierSim sim = MakeSim({4});
  sim.Replay({0, 30, {1, 2, 3}});
  sim.Replay({0, 20, {7, 8}});
  EXPECT_FALSE(sim.Holds(3));
  EXPECT_TRUE(sim.Holds(2));
  EXPECT_EQ(sim.Replay({0, 30, {1, 2, 3}}), 2u);
  EXPECT_FALSE(sim.Holds(8));
  EXPECT_TRUE(sim.Holds(7));
}

TEST(TierSimTest, PromptLargerThanTheTierKeepsItsBeginning) {
  TierSim sim = MakeSim({3});
  sim.Replay({0, 50, {1, 2, 3, 4, 5}});
  EXPECT_TRUE(sim.Holds(1));
  EXPECT_TRUE(sim.Holds(2));
  EXPECT_FALSE(sim.Holds(4));
  EXPECT_EQ(sim.Replay({0, 20, {1, 2}}), 2u);
}

TEST(TierSimTest, EvictedBlocksAreDemotedAndComeBackWhenTouched) {
  TierSim sim = MakeSim({2, 2});
  sim.Replay({0, 20, {1, 2}});
  sim.Replay({0, 20, {3, 4}});
  EXPECT_EQ(sim.result().demoted_blocks, (std::vector<uint64_t>{0, 2}));
  EXPECT_EQ(sim.Replay({0, 20, {1, 2}}), 2u);
  EXPECT_EQ(sim.result().hit_blocks, (std::vector<uint64_t>{0, 2}));
  sim.Replay({0, 20, {5, 6}});
  EXPECT_TRUE(sim.Holds(1) && sim.Holds(2));
  EXPECT_FALSE(sim.Holds(3) || sim.Holds(4));
}

}  // namespace
}  // namespace incipit
