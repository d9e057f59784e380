// Followers of the map and nodes that give it, in one thread of virtual time.
#include "client/src/map_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/membership/cluster_map_json.h"
#include "tests/support/cluster_maps.h"
#include "tests/support/sim_node.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::SampleClusterMap;
using testing::SimNode;

constexpr int64_t kMs = 1'000'000;

class MapFollowerTest : public ::testing::Test {
 protected:
  MapFollowerTest() : random_(MakeSeededRandom(1)), network_(&loop_, random_.get()) {
    map_ = SampleClusterMap();
    for (ClusterNode& node : map_.nodes) node.addresses = {"mem://" + NodeIdText(node.id)};
  }
  ~MapFollowerTest() override {
    for (auto& follower : followers_) loop_.Run(follower->Stop());
  }
  SimNode* AddNode(const std::string& address) {
    ShardOptions options;
    options.store.ram_bytes = 8 << 20;
    nodes_.push_back(std::make_unique<SimNode>(&loop_, &network_, random_.get(), address));
    EXPECT_TRUE(nodes_.back()->Start(options, {nullptr}).ok());
    return nodes_.back().get();
  }
  void Publish(SimNode* node, uint64_t epoch) {
    map_.epoch = epoch;
    node->shard(0)->SetClusterMap(MakePublishedMap(epoch, EncodeClusterMap(map_)));
  }
  MapFollower* Follow(MapFollowerOptions options) {
    options.lane = "mem";
    EXPECT_TRUE(MapFollower::CheckOptions(options).ok());
    connectors_.push_back(network_.MakeConnector());
    followers_.push_back(
        std::make_unique<MapFollower>(&loop_, connectors_.back().get(), random_.get(), std::move(options)));
    followers_.back()->Start();
    return followers_.back().get();
  }
  void Pass(int64_t ms) {
    loop_.Run([](Loop* loop, int64_t until_ns) -> Task<void> { co_await SleepUntil(loop, until_ns); }(
                                                   &loop_, loop_.NowNs() + ms * kMs));
  }
  static uint64_t EpochOf(const MapFollower* follower) {
    return follower->map() == nullptr ? 0 : follower->map()->epoch;
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  ClusterMap map_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<MapFollower>> followers_;
};

TEST_F(MapFollowerTest, TheMapComesFromASeedAndEachChangeAtOnce) {
  SimNode* node = AddNode("a");
  Publish(node, 7);
  MapFollower* follower = Follow({.seeds = {"a"}});
  Pass(100);
  ASSERT_EQ(EpochOf(follower), 7u) << follower->last_error();
  EXPECT_EQ(*follower->map(), map_);
  for (uint64_t epoch = 8; epoch < 20; ++epoch) {
    Publish(node, epoch);
    Pass(100);
    EXPECT_EQ(EpochOf(follower), epoch);
  }
  EXPECT_EQ(follower->counters().maps, 13u);
}

TEST_F(MapFollowerTest, SilenceCostsAFewQuestionsAMinute) {
  map_.nodes.resize(1);
  map_.nodes[0].addresses = {"mem://a"};
  SimNode* node = AddNode("mem://a");
  Publish(node, 7);
  const MapFollower* follower = Follow({.seeds = {"mem://a"}});
  Pass(600'000);
  EXPECT_LE(follower->counters().questions, 140u);  // 5 s apart or more, and one for each connection
  EXPECT_GE(follower->counters().questions, 40u);
  EXPECT_EQ(follower->counters().failures, 0u);
}

TEST_F(MapFollowerTest, SeedsThatAreAwayOrInNoClusterArePassedOver) {
  AddNode("empty");
  Publish(AddNode("b"), 7);
  const MapFollower* follower = Follow({.seeds = {"nowhere", "empty", "b"}});
  Pass(5000);
  EXPECT_EQ(EpochOf(follower), 7u) << follower->last_error();
}

TEST_F(MapFollowerTest, AnotherNodeIsAskedWhenOneGoes) {
  SimNode* seed = AddNode("seed");
  SimNode* other = AddNode("mem://" + NodeIdText(3));  // learned from the map
  Publish(seed, 7);
  Publish(other, 7);
  const MapFollower* follower = Follow({.seeds = {"seed"}});
  Pass(100);
  ASSERT_EQ(EpochOf(follower), 7u) << follower->last_error();
  seed->Stop();
  Pass(20'000);
  Publish(other, 8);
  Pass(15'000);
  EXPECT_EQ(EpochOf(follower), 8u) << follower->last_error();
}

TEST_F(MapFollowerTest, ANodeThatIsCutOffIsNotTheOnlyOneThatIsAsked) {
  SimNode* behind = AddNode("behind");
  SimNode* ahead = AddNode("ahead");
  Publish(behind, 7);
  Publish(ahead, 7);
  std::vector<MapFollower*> followers;
  for (int i = 0; i < 8; ++i) followers.push_back(Follow({.seeds = {"behind", "ahead"}}));
  Pass(1000);
  Publish(ahead, 8);  // "behind" never hears of it
  Pass(60'000);
  for (const MapFollower* follower : followers) EXPECT_EQ(EpochOf(follower), 8u) << follower->last_error();
}

TEST_F(MapFollowerTest, TheLastMapStaysWhenAllAreAway) {
  SimNode* node = AddNode("a");
  Publish(node, 7);
  const MapFollower* follower = Follow({.seeds = {"a"}});
  Pass(100);
  node->Stop();
  Pass(600'000);
  EXPECT_EQ(EpochOf(follower), 7u);
  EXPECT_LE(follower->counters().failures, 1500u);  // pauses grow: one round in 2.5 to 7.5 s over up to five addresses
  EXPECT_FALSE(follower->last_error().ok());
}

TEST_F(MapFollowerTest, AMapOfAnotherClusterIsRefused) {
  SimNode* node = AddNode("a");
  Publish(node, 7);
  const MapFollower* follower = Follow({.seeds = {"a"}});
  Pass(100);
  map_.placement_seed[0] ^= 1;
  Publish(node, 8);
  Pass(1000);
  EXPECT_EQ(EpochOf(follower), 7u);
  EXPECT_THAT(follower->last_error().message(), HasSubstr("another cluster"));
}

TEST_F(MapFollowerTest, WhatIsNoMapIsRefused) {
  SimNode* node = AddNode("a");
  const MapFollower* follower = Follow({.seeds = {"a"}});
  uint64_t epoch = 1;
  for (const std::string& text : {std::string("{"), std::string("[]"), EncodeClusterMap(map_)}) {
    node->shard(0)->SetClusterMap(MakePublishedMap(epoch++, text));  // the last one says another epoch
    Pass(20'000);
    EXPECT_EQ(EpochOf(follower), 0u);
    EXPECT_FALSE(follower->last_error().ok());
  }
}

TEST_F(MapFollowerTest, AThousandHearOfAChangeWithinASecond) {
  SimNode* first = AddNode("a");
  SimNode* second = AddNode("b");
  Publish(first, 7);
  Publish(second, 7);
  for (int i = 0; i < 1000; ++i) Follow({.seeds = {"a", "b"}});
  Pass(2000);
  Publish(first, 8);
  Publish(second, 8);
  Pass(1000);
  EXPECT_EQ(
      std::count_if(followers_.begin(), followers_.end(), [](const auto& each) { return EpochOf(each.get()) == 8; }),
      1000);
}

TEST(MapFollowerOptionsTest, LimitsAreChecked) {
  EXPECT_FALSE(MapFollower::CheckOptions({}).ok());
  EXPECT_FALSE(MapFollower::CheckOptions({.seeds = std::vector<std::string>(kMaxSeeds + 1, "a")}).ok());
  EXPECT_FALSE(MapFollower::CheckOptions({.seeds = {"a"}, .watch_ms = 60'001}).ok());
  EXPECT_FALSE(MapFollower::CheckOptions({.seeds = {"a"}, .step_timeout_ms = 0}).ok());
  EXPECT_FALSE(MapFollower::CheckOptions({.seeds = {"a"}, .retry_min_ms = 10, .retry_max_ms = 5}).ok());
  EXPECT_TRUE(MapFollower::CheckOptions({.seeds = {"a"}}).ok());
}

}  // namespace
}  // namespace incipit
