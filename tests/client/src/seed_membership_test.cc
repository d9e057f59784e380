// Real nodes that give a map over TCP, and clients that know one of them only.
#include "incipit/seed_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "cache/node/node.h"
#include "cluster/membership/cluster_map_json.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kLongMs = 20'000;  // no node that is alive may need it, however busy the machine

class SeedMembershipTest : public ::testing::Test {
 protected:
  void StartNodes(size_t count) {
    map_.placement_seed = {7};
    for (size_t i = 0; i < count; ++i) {
      NodeOptions options;
      options.listen = "127.0.0.1:0";
      options.shards = 2;
      options.ram_bytes = 16 << 20;
      options.huge_pages = false;
      auto node = Node::Start(options);
      ASSERT_TRUE(node.ok()) << node.status();
      ClusterNode entry;
      entry.id = i + 1;
      entry.addresses = {"tcp://" + (*node)->address()};
      map_.nodes.push_back(entry);
      nodes_.push_back(*std::move(node));
    }
  }
  void TearDown() override {
    for (auto& node : nodes_) {
      if (node == nullptr) continue;
      EXPECT_TRUE(node->Stop(10'000).ok());
    }
  }
  void Publish(uint64_t epoch) {
    map_.epoch = epoch;
    for (auto& node : nodes_) {
      if (node != nullptr) node->PublishMap(MakePublishedMap(epoch, EncodeClusterMap(map_)));
    }
  }
  std::string Address(size_t i) const { return "tcp://" + nodes_[i]->address(); }
  // True once the map is at that epoch.
  static bool WaitForEpoch(const SeedMembership& membership, uint64_t epoch) {
    for (int i = 0; i < 2000; ++i) {
      const auto map = membership.Map();
      if (map != nullptr && map->epoch == epoch) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  ClusterMap map_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(SeedMembershipTest, OneSeedGivesTheMapAndItsChanges) {
  StartNodes(2);
  Publish(3);
  const auto membership = SeedMembership::Start({.seeds = {Address(0)}, .timeout_ms = kLongMs});
  ASSERT_TRUE(membership.ok()) << membership.status();
  const auto map = (*membership)->WaitForMap(kLongMs);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(**map, map_);
  Publish(4);
  EXPECT_TRUE(WaitForEpoch(**membership, 4));
  EXPECT_EQ((*membership)->status().maps, 2u);
}

TEST_F(SeedMembershipTest, ANodeInNoClusterSaysSo) {
  StartNodes(1);
  const auto membership = SeedMembership::Start({.seeds = {Address(0)}, .timeout_ms = kLongMs});
  ASSERT_TRUE(membership.ok()) << membership.status();
  EXPECT_THAT((*membership)->WaitForAnswer(kLongMs).status().message(), HasSubstr("--membership"));
  EXPECT_EQ((*membership)->Map(), nullptr);
}

TEST_F(SeedMembershipTest, WrongOptionsAreRefused) {
  EXPECT_FALSE(SeedMembership::Start({}).ok());
  EXPECT_FALSE(SeedMembership::Start({.seeds = {"nonsense://x"}}).ok());
  EXPECT_FALSE(SeedMembership::Start({.seeds = {"tcp://127.0.0.1:1"}, .secret = "short"}).ok());
  EXPECT_FALSE(SeedMembership::Start({.seeds = {"tcp://127.0.0.1:1"}, .tenant = ""}).ok());
}

}  // namespace
}  // namespace incipit
