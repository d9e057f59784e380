#include "client/src/core/cluster_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ClusterLinksTest, AnAddressNamesSeedsOnOneLane) {
  std::vector<std::string> seeds;
  std::string lane;
  ASSERT_TRUE(ClusterLinks::ParseAddress("cluster://10.0.0.5:9400,tcp://10.0.0.6:9400", &seeds, &lane).ok());
  EXPECT_THAT(seeds, ElementsAre("10.0.0.5:9400", "tcp://10.0.0.6:9400"));
  EXPECT_EQ(lane, "tcp");
  ASSERT_TRUE(ClusterLinks::ParseAddress("cluster://ucx://a:1", &seeds, &lane).ok());
  EXPECT_EQ(lane, "ucx");
  EXPECT_TRUE(ClusterLinks::IsClusterAddress("cluster://a:1"));
  EXPECT_FALSE(ClusterLinks::IsClusterAddress("tcp://a:1"));
  for (const char* wrong : {"tcp://a:1", "cluster://", "cluster://a:1,unix:///x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ClusterLinks::ParseAddress(wrong, &seeds, &lane))) << wrong;
  }
  std::string many = "cluster://a:1";
  for (size_t i = 0; i < kMaxSeeds; ++i) many += ",a:1";
  EXPECT_THAT(ClusterLinks::ParseAddress(many, &seeds, &lane).message(), HasSubstr("65 seeds"));
}

class ShardSetTest : public ::testing::Test {
 protected:
  std::shared_ptr<ShardConnection> Connection() {
    return std::make_shared<ShardConnection>(&loop_, nullptr, random_.get(), ShardConnectionOptions(), &counters_);
  }
  ShardSet Node(uint64_t id, uint16_t shards) {
    wire::HelloReply hello;
    hello.node_id = id;
    hello.shard_count = shards;
    ShardSet node(hello);
    for (uint16_t i = 0; i < shards; ++i) node.connections.push_back(Connection());
    return node;
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  ClientCounters counters_;
  std::vector<uint8_t> name_space_ = FrameNamespace({"default", "m", {}});
};

// The shards of all nodes in one list, the one that stands for what is not known first; each block where its owner's
// own list has it, and its next rank at another node.
TEST_F(ShardSetTest, OfAClusterRoutesAsItsNodesDo) {
  std::vector<PlacementNode> nodes = {{.id = 1}, {.id = 2}, {.id = 3}};
  const auto placement = std::make_shared<const ClusterPlacement>(*ClusterPlacement::Make(PlacementSeed{5}, 1, nodes));
  const std::vector<ShardSet> parts = {Node(11, 2), Node(12, 3)};
  ShardSet all(placement, Connection());
  all.AddNode(&parts[0]);
  all.AddNode(&parts[1]);
  all.AddNode(nullptr);  // never answered
  ASSERT_EQ(all.connections.size(), 6u);
  EXPECT_EQ(all.node_count(), 3u);
  size_t absent = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    const BlockKey key = KeyOf(1, i);
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    const size_t owner = placement->OwnerOf(FrameIdentity(name_space_, 0, 0, key.bytes(), &buffer));
    const uint32_t shard = all.ShardOf(name_space_, 0, 0, key.bytes());
    const uint32_t next = all.ShardOf(name_space_, 0, 0, key.bytes(), 1);
    if (owner == 2) {
      EXPECT_EQ(shard, 0u);
      ++absent;
      continue;
    }
    const uint32_t first = owner == 0 ? 1 : 3;
    EXPECT_EQ(shard, first + parts[owner].ShardOf(name_space_, 0, 0, key.bytes()));
    EXPECT_EQ(all.connections[shard], parts[owner].connections[shard - first]);
    EXPECT_FALSE(next >= first && next < first + parts[owner].connections.size()) << "a copy at the same node";
    EXPECT_EQ(all.ShardOf(name_space_, 0, 0, key.bytes(), 7), all.ShardOf(name_space_, 0, 0, key.bytes(), 2))
        << "ranks are cut to the nodes there are";
  }
  EXPECT_GT(absent, 50u);
}

}  // namespace
}  // namespace incipit
