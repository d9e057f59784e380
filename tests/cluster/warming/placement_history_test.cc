#include "cluster/warming/placement_history.h"

#include <gtest/gtest.h>

#include "cluster/warming/peer_plan.h"
#include "tests/support/blocks.h"
#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

constexpr int64_t kWarmNs = 1000;

std::shared_ptr<const ClusterMap> MapOf(uint64_t epoch, std::vector<std::pair<uint64_t, NodeState>> states) {
  ClusterMap map;
  map.epoch = epoch;
  map.placement_seed.fill(5);
  for (const auto& [id, state] : states) map.nodes.push_back(testing::SampleClusterNode(id, state));
  return std::make_shared<const ClusterMap>(std::move(map));
}

// Whom `plan` asks first, of blocks that are `owner`'s by `map`; each id as often as blocks.
std::map<uint64_t, size_t> AskedFor(const PeerPlan& plan, const ClusterMap& map, uint64_t owner, int64_t now_ns) {
  std::vector<size_t> owners;
  const auto placement = PlacementOver(map, &owners);
  std::map<uint64_t, size_t> asked;
  for (uint64_t i = 0; i < 500; ++i) {
    const std::vector<uint8_t> identity = testing::KeyOf(i);
    if (map.nodes[owners[placement->OwnerOf(identity)]].id != owner) continue;
    const PreviousOwners nodes = plan.PreviousOwnersOf(identity, now_ns);
    ++asked[nodes.empty() ? 0 : nodes.front()->id];
  }
  return asked;
}

constexpr NodeState kServing = NodeState::kServing;

TEST(PlacementHistoryTest, WhoJoinsAsksWhoeverWouldOwnItsBlocksWithoutIt) {
  PlacementHistory history(3, kWarmNs);
  const auto map = MapOf(7, {{1, kServing}, {2, kServing}, {3, kServing}});
  const auto plan = history.Take(map, 100, true);
  EXPECT_TRUE(plan->Active(100));
  const auto asked = AskedFor(*plan, *map, 3, 100);
  EXPECT_EQ(asked.size(), 2u);
  EXPECT_GT(asked.at(1), 0u);
  EXPECT_GT(asked.at(2), 0u);
  EXPECT_FALSE(plan->Active(100 + kWarmNs));
  EXPECT_EQ(AskedFor(*plan, *map, 3, 100 + kWarmNs), (std::map<uint64_t, size_t>{{0, asked.at(1) + asked.at(2)}}));
}

TEST(PlacementHistoryTest, AfterSeveralJoinsTheOwnersBeforeThemAreAskedToo) {
  PlacementHistory history(9, kWarmNs);
  const auto map = MapOf(7, {{1, kServing}, {2, kServing}, {3, kServing}, {4, kServing}, {9, kServing}});
  const auto plan = history.Take(map, 100, true);
  std::vector<size_t> owners;
  ClusterMap before = *map;  // neither node 9 nor node 4
  before.nodes.erase(before.nodes.begin() + 3, before.nodes.end());
  const auto placement = PlacementOver(before, &owners);
  for (uint64_t i = 0; i < 200; ++i) {
    const std::vector<uint8_t> identity = testing::KeyOf(i);
    const uint64_t owner = before.nodes[owners[placement->OwnerOf(identity)]].id;
    const PreviousOwners asked = plan->PreviousOwnersOf(identity, 100);
    EXPECT_TRUE(std::any_of(asked.begin(), asked.end(), [&](const ClusterNode* node) { return node->id == owner; }));
    EXPECT_LE(asked.size(), kMaxPreviousOwners);
  }
}

TEST(PlacementHistoryTest, WhoWasAlwaysThereHasNoPast) {
  PlacementHistory history(3, kWarmNs);
  EXPECT_FALSE(history.Take(MapOf(7, {{1, kServing}, {3, kServing}}), 100, false)->Active(100));
}

TEST(PlacementHistoryTest, TheFirstNodeOfAClusterHasNobodyToAsk) {
  PlacementHistory history(3, kWarmNs);
  EXPECT_FALSE(history.Take(MapOf(7, {{3, kServing}}), 100, true)->Active(100));
}

TEST(PlacementHistoryTest, OwnersFromBeforeAChangeAreAskedIfTheyAreStillThere) {
  PlacementHistory history(1, kWarmNs);
  history.Take(MapOf(1, {{1, kServing}, {2, kServing}}), 0, false);
  // Node 2 weighs less than before: some of its blocks are node 1's now.
  ClusterMap lighter = *MapOf(2, {{1, kServing}, {2, kServing}});
  lighter.nodes[1].weight = 1;
  const auto map = std::make_shared<const ClusterMap>(lighter);
  const auto plan = history.Take(map, 100, false);
  const auto asked = AskedFor(*plan, *map, 1, 100);
  EXPECT_GT(asked.at(2), 0u);
  // Gone, it is not asked any more.
  const auto without = MapOf(3, {{1, kServing}, {2, NodeState::kGone}});
  const auto later = history.Take(without, 200, false);
  EXPECT_EQ(AskedFor(*later, *without, 1, 200).count(2), 0u);
}

TEST(PlacementHistoryTest, AMapThatPlacesAlikeChangesNothing) {
  PlacementHistory history(1, kWarmNs);
  history.Take(MapOf(1, {{1, kServing}, {2, kServing}}), 0, false);
  const auto plan = history.Take(MapOf(2, {{1, kServing}, {2, kServing}, {4, NodeState::kJoining}}), 100, false);
  EXPECT_FALSE(plan->Active(100));
}

TEST(PlacementHistoryTest, ADrainingNodeIsAskedWithoutAPast) {
  PlacementHistory history(1, 0);
  history.Take(MapOf(1, {{1, kServing}, {2, kServing}}), 0, true);
  const auto map = MapOf(2, {{1, kServing}, {2, NodeState::kDraining}});
  const auto plan = history.Take(map, 100, false);
  EXPECT_TRUE(plan->Active(1'000'000'000'000));
  EXPECT_GT(AskedFor(*plan, *map, 1, 1'000'000'000'000).at(2), 0u);
}

TEST(PlacementHistoryTest, TheDrainingNodeKnowsTheNextOwners) {
  PlacementHistory history(2, kWarmNs);
  const auto map = MapOf(2, {{1, kServing}, {2, NodeState::kDraining}, {3, kServing}});
  const auto plan = history.Take(map, 100, false);
  std::map<uint64_t, size_t> next;
  for (uint64_t i = 0; i < 100; ++i) ++next[plan->NextOwnerOf(testing::KeyOf(i))->id];
  EXPECT_EQ(next.size(), 2u);
  EXPECT_EQ(next.count(2), 0u);
}

TEST(PlacementHistoryTest, OfManyChangesTheLatestAreKept) {
  PlacementHistory history(1, kWarmNs);
  std::shared_ptr<const PeerPlan> plan;
  for (uint64_t epoch = 1; epoch < 40; ++epoch) {
    plan = history.Take(MapOf(epoch, {{1, kServing}, {2 + epoch % 7, kServing}}), static_cast<int64_t>(epoch), false);
  }
  EXPECT_EQ(plan->past_until_ns(), 39 + kWarmNs);
}

TEST(PlacementHistoryTest, AnotherClustersPastIsForgotten) {
  PlacementHistory history(1, kWarmNs);
  history.Take(MapOf(1, {{1, kServing}, {2, kServing}}), 0, false);
  ClusterMap other = *MapOf(2, {{1, kServing}});
  other.placement_seed.fill(9);
  EXPECT_FALSE(history.Take(std::make_shared<const ClusterMap>(other), 10, false)->Active(10));
}

}  // namespace
}  // namespace incipit
