#include "cluster/node/node_share.h"

#include <gtest/gtest.h>

#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

using testing::SampleClusterNode;

ClusterNode NodeOf(uint64_t id, uint32_t weight, NodeState state = NodeState::kServing) {
  ClusterNode node = SampleClusterNode(id, state);
  node.weight = weight;
  return node;
}

uint64_t SumOfShares(const ClusterMap& map, uint64_t quota_bytes) {
  uint64_t sum = 0;
  for (const ClusterNode& node : map.nodes) {
    if (node.state == NodeState::kServing) sum += ShareOfNode(map, node).Of(quota_bytes);
  }
  return sum;
}

TEST(NodeShare, NodesThatServeShareByWeight) {
  const ClusterMap map{.nodes = {NodeOf(1, 1), NodeOf(2, 3), NodeOf(3, 4)}};
  EXPECT_EQ(ShareOfNode(map, map.nodes[0]), (ClusterShare{.own_weight = 1, .total_weight = 8}));
  EXPECT_EQ(ShareOfNode(map, map.nodes[2]), (ClusterShare{.own_weight = 4, .total_weight = 8}));
  EXPECT_EQ(SumOfShares(map, 8000), 8000u);
}

TEST(NodeShare, WhoJoinsTakesOfEveryShare) {
  ClusterMap map{.nodes = {NodeOf(1, 1), NodeOf(2, 1), NodeOf(3, 1)}};
  EXPECT_EQ(ShareOfNode(map, map.nodes[0]).Of(1200), 400u);
  map.nodes.push_back(NodeOf(4, 1, NodeState::kJoining));
  EXPECT_EQ(ShareOfNode(map, map.nodes[0]).Of(1200), 400u) << "it owns nothing yet";
  map.nodes.back().state = NodeState::kServing;
  EXPECT_EQ(ShareOfNode(map, map.nodes[0]).Of(1200), 300u);
  EXPECT_EQ(SumOfShares(map, 1200), 1200u);
}

TEST(NodeShare, WhoDrainsOrIsGoneKeepsItsShareAndTheOthersTakeIt) {
  for (const NodeState state : {NodeState::kDraining, NodeState::kGone}) {
    ClusterMap map{.nodes = {NodeOf(1, 1), NodeOf(2, 1), NodeOf(3, 2)}};
    EXPECT_EQ(ShareOfNode(map, map.nodes[2]).Of(1200), 600u);
    map.nodes[2].state = state;
    EXPECT_EQ(ShareOfNode(map, map.nodes[2]).Of(1200), 600u);
    EXPECT_EQ(ShareOfNode(map, map.nodes[0]).Of(1200), 600u);
    EXPECT_EQ(SumOfShares(map, 1200), 1200u) << "of those that own";
  }
}

TEST(NodeShare, AloneOrUnknownToTheMap) {
  const ClusterMap alone{.nodes = {NodeOf(1, 7)}};
  EXPECT_EQ(ShareOfNode(alone, alone.nodes[0]).Of(1000), 1000u);
  const ClusterMap drained{.nodes = {NodeOf(1, 7, NodeState::kDraining), NodeOf(2, 1, NodeState::kGone)}};
  EXPECT_EQ(ShareOfNode(drained, drained.nodes[0]).Of(1000), 1000u) << "nobody else has blocks";
  EXPECT_EQ(ShareOfNode(alone, NodeOf(9, 7)).Of(1000), 500u) << "the map lacks it: as if it served beside the others";
  EXPECT_EQ(ShareOfNode(ClusterMap(), NodeOf(9, 7)).Of(1000), 1000u);
}

}  // namespace
}  // namespace incipit
