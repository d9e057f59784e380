#include "client/cli/top/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using std::chrono::seconds;

NodeSample Sample(uint64_t id, uint64_t keys, uint64_t hits, uint64_t loaded) {
  NodeSample sample;
  sample.node.id = id;
  sample.node.addresses = {"tcp://10.0.0.1:9400"};
  sample.name = "n" + std::to_string(id);
  sample.shards = {{.shard = 0,
                    .values = {{"blocks", 5},
                               {"match_keys_total", keys},
                               {"match_hits_total", hits},
                               {"load_bytes_ram_total", loaded},
                               {"ram_capacity_bytes", 100}}}};
  wire::Activity activity;
  activity.namespaces = {{"acme", "v3", "mla", 5, 50, keys, hits, loaded}};
  activity.hottest = {{.name_space = 0, .depth_tokens = 64, .block_tokens = 64, .stamp_ns = 9, .bytes_per_s = 7}};
  sample.activity = {activity};
  return sample;
}

ClusterSample At(int second, std::vector<NodeSample> nodes) {
  return {.at = std::chrono::steady_clock::time_point(seconds(second)), .epoch = 3, .nodes = std::move(nodes)};
}

TEST(TopView, RatesAreOfTheTimeBetweenTheLooks) {
  const TopView view = MakeTopView(At(10, {Sample(1, 100, 50, 1000), Sample(2, 0, 0, 0)}),
                                   At(12, {Sample(1, 300, 150, 5000), Sample(2, 200, 200, 0)}));
  EXPECT_DOUBLE_EQ(view.seconds, 2);
  ASSERT_EQ(view.nodes.size(), 2u);
  EXPECT_DOUBLE_EQ(view.nodes[0].load_bytes_per_s, 2000);
  EXPECT_DOUBLE_EQ(*view.nodes[0].matched.Ratio(), 0.5);
  EXPECT_DOUBLE_EQ(*view.nodes[1].matched.Ratio(), 1.0);
  EXPECT_DOUBLE_EQ(view.total.keys_per_s, 200);
  EXPECT_EQ(view.total.blocks, 10u);
  ASSERT_EQ(view.tenants.size(), 1u);
  EXPECT_DOUBLE_EQ(*view.tenants[0].matched.Ratio(), 0.75);
  EXPECT_DOUBLE_EQ(*view.tenants[0].matched.RatioEver(), 0.7);
  ASSERT_EQ(view.prefixes.size(), 1u) << "two nodes, one request";
  EXPECT_EQ(view.prefixes[0].nodes.size(), 2u);
}

TEST(TopView, ANodeThatIsAwayIsShownWithTheReason) {
  NodeSample away;
  away.node.id = 2;
  away.node.addresses = {"tcp://10.0.0.2:9400"};
  away.status = absl::UnavailableError("refused");
  NodeSample gone = Sample(3, 1, 1, 1);
  gone.node.state = NodeState::kGone;
  const TopView view = MakeTopView(At(1, {Sample(1, 1, 1, 1)}), At(2, {Sample(1, 2, 2, 2), away, gone}));
  ASSERT_EQ(view.nodes.size(), 2u);
  EXPECT_EQ(view.nodes[1].name, "n1") << "by name";
  EXPECT_FALSE(view.nodes[0].answers);
  EXPECT_EQ(view.nodes[0].name, "10.0.0.2:9400");
  EXPECT_EQ(view.nodes[0].error, "refused");
  EXPECT_EQ(view.total.blocks, 5u);
  EXPECT_EQ(TopJson(view)["nodes"][0]["error"], "refused");
}

TEST(TopView, WithoutTheSameShardsBeforeThereAreNoRates) {
  NodeSample more = Sample(1, 500, 500, 9000);
  more.shards.push_back(more.shards[0]);
  more.shards[1].shard = 1;
  const TopView view = MakeTopView(At(1, {Sample(1, 1, 1, 1)}), At(2, {more}));
  EXPECT_EQ(view.nodes[0].keys_per_s, 0);
  EXPECT_EQ(view.nodes[0].matched.Ratio(), std::nullopt);
  EXPECT_EQ(view.tenants[0].keys_per_s, 0);
  // A process that was started anew counts from 0.
  EXPECT_EQ(MakeTopView(At(1, {Sample(1, 100, 100, 100)}), At(2, {Sample(1, 5, 5, 5)})).nodes[0].keys_per_s, 0);
}

TEST(TopView, JsonTellsWhatNobodyAskedForAsNull) {
  const TopView view = MakeTopView(At(1, {Sample(1, 4, 2, 0)}), At(2, {Sample(1, 4, 2, 0)}));
  const Json json = TopJson(view);
  EXPECT_TRUE(json["nodes"][0]["match_hit_ratio"].is_null());
  EXPECT_DOUBLE_EQ(json["tenants"][0]["match_hit_ratio_ever"], 0.5);
  EXPECT_EQ(json["nodes"][0]["ram"]["capacity_bytes"], 100);
  EXPECT_EQ(json["hottest_prefixes"][0]["tokens"], 128);
}

}  // namespace
}  // namespace incipit
