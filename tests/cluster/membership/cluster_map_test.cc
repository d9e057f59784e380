#include "cluster/membership/cluster_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::SampleClusterMap;
using testing::SampleClusterNode;

TEST(ClusterMap, NamesOfStatesAreReadBack) {
  for (const NodeState state : {NodeState::kJoining, NodeState::kServing, NodeState::kDraining, NodeState::kGone}) {
    EXPECT_EQ(ParseNodeState(NodeStateName(state)).value(), state);
  }
  EXPECT_THAT(ParseNodeState("lost").status().message(), HasSubstr("joining, serving, draining, gone"));
}

TEST(ClusterMap, NodesAreFoundById) {
  const ClusterMap map = SampleClusterMap();
  EXPECT_EQ(map.Find(3)->id, 3u);
  EXPECT_EQ(map.Find(0), nullptr);
  EXPECT_EQ(map.Find(6), nullptr);
  EXPECT_EQ(map.Find(3)->AddressOn("ucx"), "ucx://10.0.0.3:9410");
  EXPECT_EQ(map.Find(3)->AddressOn("unix"), "");
}

TEST(ClusterMap, LimitsOfNodesAreKept) {
  EXPECT_TRUE(CheckClusterNode(SampleClusterNode(1)).ok());
  const auto refused = [](void (*change)(ClusterNode*)) {
    ClusterNode node = SampleClusterNode(1);
    change(&node);
    return std::string(CheckClusterNode(node).message());
  };
  EXPECT_THAT(refused([](ClusterNode* n) { n->weight = 0; }), HasSubstr("node 0000000000000001: weight 0"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->weight = 65'536; }), HasSubstr("weight 65536"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->shards = 0; }), HasSubstr("0 shards"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->shards = 257; }), HasSubstr("257 shards"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->zone = std::string(65, 'a'); }), HasSubstr("zone has 65 bytes"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->zone = "a b"; }), HasSubstr("zone"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->addresses.clear(); }), HasSubstr("0 addresses"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->addresses.resize(9, "tcp://a:1"); }), HasSubstr("9 addresses"));
  EXPECT_THAT(refused([](ClusterNode* n) { n->addresses.push_back("tcp://b:1"); }), HasSubstr("two addresses on lane"));
  for (const char* bad :
       {"", "tcp", "tcp://", "://a:1", "TCP://a:1", "tcp://a b", "tcp://a\"", "tcp://a\\b", "tcp://\n"}) {
    ClusterNode node = SampleClusterNode(1);
    node.addresses = {bad};
    EXPECT_FALSE(CheckClusterNode(node).ok()) << bad;
  }
  EXPECT_THAT(refused([](ClusterNode* n) { n->addresses = {"tcp://" + std::string(251, 'a')}; }),
              HasSubstr("257 bytes"));
}

TEST(ClusterMap, LimitsOfMapsAreKept) {
  EXPECT_TRUE(CheckClusterMap(SampleClusterMap()).ok());
  ClusterMap map = SampleClusterMap();
  map.epoch = 0;
  EXPECT_THAT(CheckClusterMap(map).message(), HasSubstr("epoch 0"));
  map.epoch = kMaxClusterEpoch + 1;
  EXPECT_FALSE(CheckClusterMap(map).ok());
  map = SampleClusterMap();
  std::swap(map.nodes[0], map.nodes[1]);
  EXPECT_THAT(CheckClusterMap(map).message(), HasSubstr("unique and ascend"));
  map = SampleClusterMap();
  map.nodes[1] = map.nodes[0];
  EXPECT_THAT(CheckClusterMap(map).message(), HasSubstr("unique and ascend"));
  map.nodes.clear();
  for (uint64_t id = 0; id <= kMaxClusterNodes; ++id) map.nodes.push_back(SampleClusterNode(id));
  EXPECT_THAT(CheckClusterMap(map).message(), HasSubstr("1025 nodes, at most 1024"));
}

TEST(ClusterMap, OnlyServingNodesOwnBlocks) {
  const ClusterMap map = SampleClusterMap();
  std::vector<size_t> owners;
  const auto placement = PlacementOver(map, &owners);
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(owners, (std::vector<size_t>{0, 2}));
  EXPECT_EQ(placement->node_count(), 2u);
  EXPECT_EQ(placement->epoch(), 7u);
  ClusterMap nobody = map;
  for (ClusterNode& node : nobody.nodes) node.state = NodeState::kDraining;
  EXPECT_EQ(PlacementOver(nobody, &owners).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ClusterMap, NodesOfOneZoneHoldNoTwoCopies) {
  ClusterMap map = SampleClusterMap();
  for (ClusterNode& node : map.nodes) {
    node.state = NodeState::kServing;
    node.zone = node.id == 5 ? "other" : "same";
  }
  std::vector<size_t> owners;
  const auto placement = PlacementOver(map, &owners);
  ASSERT_TRUE(placement.ok());
  for (uint64_t hash = 1; hash < 100; ++hash) {
    const auto copies = placement->OwnersOf(hash << 40, 2);
    EXPECT_EQ((map.nodes[owners[copies[0]]].id == 5) + (map.nodes[owners[copies[1]]].id == 5), 1);
  }
}

TEST(ClusterMap, ShardsOfServingNodesAreListed) {
  const ShardMap shards = ShardMapOf(SampleClusterMap());
  EXPECT_EQ(shards.epoch, 7u);
  ASSERT_EQ(shards.shards.size(), 8u);
  EXPECT_EQ(shards.shards[0], (ShardAddress{"10.0.0.1:9400", 0}));
  EXPECT_EQ(shards.shards[7], (ShardAddress{"10.0.0.3:9400", 3}));
}

}  // namespace
}  // namespace incipit
