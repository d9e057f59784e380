#include "cluster/placement/cluster_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "cache/seams/random.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using Nodes = std::vector<PlacementNode>;

constexpr uint64_t kKeys = 40'000;

ClusterPlacement PlacementOf(const Nodes& nodes, uint8_t seed = 1) {
  PlacementSeed bytes{};
  bytes[0] = seed;
  auto placement = ClusterPlacement::Make(bytes, 1, nodes);
  EXPECT_TRUE(placement.ok()) << placement.status();
  return *std::move(placement);
}

Nodes RandomNodes(Random* random, size_t count, uint32_t zones) {
  Nodes nodes;
  for (size_t i = 0; i < count; ++i) {
    nodes.push_back({random->Next(), static_cast<uint32_t>(1 + random->Below(100)),
                     zones == 0 ? 0 : static_cast<uint32_t>(1 + random->Below(zones))});
  }
  return nodes;
}

uint64_t OwnerId(const ClusterPlacement& placement, const Nodes& nodes, uint64_t hash) {
  return nodes.at(placement.OwnerOf(hash)).id;
}

std::set<uint64_t> OwnerIds(const ClusterPlacement& placement, const Nodes& nodes, uint64_t hash, size_t copies) {
  std::set<uint64_t> ids;
  for (const size_t owner : placement.OwnersOf(hash, copies)) ids.insert(nodes.at(owner).id);
  return ids;
}

TEST(ClusterPlacement, RefusesWhatThePageForbids) {
  EXPECT_THAT(ClusterPlacement::Make({}, 1, {}).status().message(), HasSubstr("0 nodes, allowed are 1 to 1024"));
  EXPECT_FALSE(ClusterPlacement::Make({}, 1, Nodes(1025)).ok());
  const Nodes weightless = {{1, 0, 0}}, heavy = {{1, 65'536, 0}}, twins = {{7, 1, 0}, {8, 1, 0}, {7, 2, 0}};
  EXPECT_THAT(ClusterPlacement::Make({}, 1, weightless).status().message(), HasSubstr("weight 0"));
  EXPECT_THAT(ClusterPlacement::Make({}, 1, heavy).status().message(), HasSubstr("weight 65536"));
  EXPECT_THAT(ClusterPlacement::Make({}, 1, twins).status().message(), HasSubstr("0000000000000007 is listed twice"));
  const Nodes heaviest = {{0, 65'535, 0}, {UINT64_MAX, 65'535, 0}};
  EXPECT_TRUE(ClusterPlacement::Make({}, 1, heaviest).ok());
}

TEST(ClusterPlacement, OneNodeOwnsEverything) {
  const ClusterPlacement placement = PlacementOf({{5, 3, 0}});
  for (uint64_t hash = 0; hash < 100; ++hash) EXPECT_EQ(placement.OwnerOf(hash), 0u);
}

TEST(ClusterPlacement, SharesFollowTheWeights) {
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    const Nodes nodes = {
        {random->Next(), 1, 0}, {random->Next(), 2, 0}, {random->Next(), 5, 0}, {random->Next(), 12, 0}};
    const ClusterPlacement placement = PlacementOf(nodes);
    std::vector<uint64_t> blocks(nodes.size());
    for (uint64_t key = 0; key < 10 * kKeys; ++key) ++blocks[placement.OwnerOf(random->Next())];
    for (size_t i = 0; i < nodes.size(); ++i) {
      const double expected = 10.0 * kKeys * nodes[i].weight / 20;
      EXPECT_NEAR(static_cast<double>(blocks[i]), expected, 5 * std::sqrt(expected)) << "weight " << nodes[i].weight;
    }
  }
}

TEST(ClusterPlacement, OrderOfTheListDoesNotMatter) {
  const auto random = MakeSeededRandom(4);
  Nodes nodes = RandomNodes(random.get(), 9, 3);
  const ClusterPlacement placement = PlacementOf(nodes);
  Nodes reversed(nodes.rbegin(), nodes.rend());
  const ClusterPlacement other = PlacementOf(reversed);
  for (uint64_t key = 0; key < 2'000; ++key) {
    const uint64_t hash = random->Next();
    ASSERT_EQ(OwnerId(placement, nodes, hash), OwnerId(other, reversed, hash)) << hash;
    const auto owners = placement.OwnersOf(hash, 4);
    const auto others = other.OwnersOf(hash, 4);
    for (size_t i = 0; i < 4; ++i) ASSERT_EQ(nodes[owners[i]].id, reversed[others[i]].id) << hash;
  }
}

// What a node's coming, its leaving (the same, seen backwards) and a raised weight may move: only to that node.
TEST(ClusterPlacement, AnAddedOrHeavierNodeOnlyTakesForItself) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    const Nodes before = RandomNodes(random.get(), 1 + random->Below(12), 0);
    Nodes after = before;
    if (seed % 2 == 0) {
      after.push_back({random->Next(), static_cast<uint32_t>(1 + random->Below(100)), 0});
    } else {
      std::swap(after.front(), after.back());
      after.back().weight += static_cast<uint32_t>(1 + random->Below(100));
    }
    double weights = 0, weights_before = 0;
    for (const PlacementNode& node : after) weights += node.weight;
    for (const PlacementNode& node : before) weights_before += node.weight;
    const double share = after.back().weight / weights;
    const double share_before = seed % 2 == 0 ? 0 : (after.back().weight - (weights - weights_before)) / weights_before;
    const ClusterPlacement old_placement = PlacementOf(before), new_placement = PlacementOf(after);
    uint64_t moved = 0;
    for (uint64_t key = 0; key < kKeys; ++key) {
      const uint64_t hash = random->Next();
      const uint64_t owner = OwnerId(new_placement, after, hash);
      if (OwnerId(old_placement, before, hash) == owner) continue;
      ASSERT_EQ(owner, after.back().id) << hash;
      ++moved;
    }
    // As few as can be: what its share grew by.
    EXPECT_NEAR(static_cast<double>(moved), (share - share_before) * kKeys, 5 * std::sqrt(kKeys / 4.0));
  }
}

TEST(ClusterPlacement, CopiesAreInDifferentZonesWhileThereAreAny) {
  const auto random = MakeSeededRandom(5);
  const Nodes nodes = {{1, 9, 1}, {2, 9, 1}, {3, 9, 1}, {4, 1, 2}, {5, 1, 3}, {6, 9, 1}};
  const ClusterPlacement placement = PlacementOf(nodes);
  for (uint64_t key = 0; key < 2'000; ++key) {
    const uint64_t hash = random->Next();
    const auto owners = placement.OwnersOf(hash, 8);
    ASSERT_EQ(owners.size(), nodes.size());
    ASSERT_EQ(owners[0], placement.OwnerOf(hash));
    ASSERT_EQ(std::set<size_t>(owners.begin(), owners.end()).size(), nodes.size());
    std::set<uint32_t> zones;
    for (size_t i = 0; i < 3; ++i) zones.insert(nodes[owners[i]].zone);
    ASSERT_EQ(zones.size(), 3u) << hash;
  }
  EXPECT_TRUE(placement.OwnersOf(1, 0).empty());
}

TEST(ClusterPlacement, NodesWithoutAZoneEachCountAsOne) {
  const Nodes nodes = {{1, 1, 0}, {2, 1, 0}, {3, 1, 7}, {4, 1, 7}};
  const ClusterPlacement placement = PlacementOf(nodes);
  const auto random = MakeSeededRandom(6);
  for (uint64_t key = 0; key < 500; ++key) {
    const auto owners = placement.OwnersOf(random->Next(), 3);
    ASSERT_NE(nodes[owners[0]].zone + nodes[owners[1]].zone + nodes[owners[2]].zone, 14u);
  }
}

TEST(ClusterPlacement, OneNodeMoreChangesAtMostOneCopyOfABlock) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    const Nodes before = RandomNodes(random.get(), 3 + random->Below(9), static_cast<uint32_t>(random->Below(5)));
    Nodes after = before;
    after.push_back(
        {random->Next(), static_cast<uint32_t>(1 + random->Below(100)), static_cast<uint32_t>(random->Below(6))});
    const ClusterPlacement old_placement = PlacementOf(before), new_placement = PlacementOf(after);
    for (uint64_t key = 0; key < 2'000; ++key) {
      const uint64_t hash = random->Next();
      const auto was = OwnerIds(old_placement, before, hash, 3);
      const auto is = OwnerIds(new_placement, after, hash, 3);
      std::vector<uint64_t> came;
      std::set_difference(is.begin(), is.end(), was.begin(), was.end(), std::back_inserter(came));
      ASSERT_LE(came.size(), 1u) << hash;
      for (const uint64_t id : came) ASSERT_EQ(id, after.back().id) << hash;
    }
  }
}

TEST(ClusterPlacement, SeedsPlaceIndependently) {
  const Nodes nodes = {{1, 1, 0}, {2, 1, 0}, {3, 1, 0}, {4, 1, 0}};
  const ClusterPlacement one = PlacementOf(nodes, 1), two = PlacementOf(nodes, 2);
  uint64_t same = 0;
  for (uint64_t key = 0; key < kKeys; ++key) {
    const std::string identity = absl::StrCat("identity-", key);
    same += one.OwnerOf(AsBytes(identity)) == two.OwnerOf(AsBytes(identity));
  }
  EXPECT_NEAR(static_cast<double>(same) / kKeys, 0.25, 0.02);
}

}  // namespace
}  // namespace incipit
