#include "client/cli/status_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sample_report.h"

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeInfo TwoShardNode() {
  NodeInfo node;
  node.name = "a";
  node.node_id = 0xab;
  node.shard_count = 2;
  return node;
}

std::vector<ShardStats> TwoShards() {
  return {{.shard = 0, .values = SampleReport(0).Values()}, {.shard = 1, .values = SampleReport(1, 50'000).Values()}};
}

TEST(StatusReportTest, JsonHasNodeShardsAndTheirSum) {
  const std::vector<ShardStats> shards = TwoShards();
  const Json json = StatusJson("tcp://x:1", TwoShardNode(), shards);
  EXPECT_EQ(json["node"]["address"], "tcp://x:1");
  EXPECT_EQ(json["node"]["node_id"], "00000000000000ab");
  EXPECT_EQ(json["node"]["shards"], 2);
  ASSERT_EQ(json["shards"].size(), 2u);
  EXPECT_EQ(json["shards"][1]["shard"], 1);
  const uint64_t sum = json["shards"][0]["blocks"].get<uint64_t>() + json["shards"][1]["blocks"].get<uint64_t>();
  EXPECT_EQ(json["total"]["blocks"], sum);
}

TEST(StatusReportTest, EveryValueOfTheNodeIsInTheJson) {
  const std::vector<ShardStats> shards = TwoShards();
  const Json json = StatusJson("x", TwoShardNode(), shards);
  for (const auto& [name, value] : shards[0].values) {
    EXPECT_TRUE(json["shards"][0].contains(name)) << name;
    EXPECT_TRUE(json["total"].contains(name)) << name;
  }
}

TEST(StatusReportTest, StatesAreWordsAndTheWorstCountsInTotal) {
  std::vector<ShardStats> shards = {{.shard = 0, .values = {{"nvme_present", 1}, {"nvme_state", 1}, {"recovered", 1}}},
                                    {.shard = 1, .values = {{"nvme_present", 1}, {"nvme_state", 0}, {"recovered", 0}}}};
  Json json = StatusJson("x", TwoShardNode(), shards);
  EXPECT_EQ(json["shards"][0]["nvme_state"], "serving");
  EXPECT_EQ(json["total"]["nvme_state"], "recovering");
  EXPECT_EQ(json["total"]["recovered"], false);
  shards[0].values[1].second = 2;
  json = StatusJson("x", TwoShardNode(), shards);
  EXPECT_EQ(json["total"]["nvme_state"], "suspended");
  shards[0].values[0].second = shards[1].values[0].second = 0;
  EXPECT_EQ(StatusJson("x", TwoShardNode(), shards)["total"]["nvme_state"], "none");
}

TEST(StatusReportTest, RatiosAreShares) {
  const StatusValues values(ShardStats{.values = {{"match_keys_total", 200},
                                                  {"match_hits_total", 50},
                                                  {"ram_allocated_bytes", 1000},
                                                  {"ram_requested_bytes", 960}}});
  EXPECT_DOUBLE_EQ(values.MatchHitRatio(), 0.25);
  EXPECT_DOUBLE_EQ(values.RamWasteRatio(), 0.04);
  const StatusValues empty{ShardStats()};
  EXPECT_EQ(empty.MatchHitRatio(), 0);
  EXPECT_EQ(empty.RamWasteRatio(), 0);
}

TEST(StatusReportTest, TextHasOneRowPerShardAndATotal) {
  const std::string text = StatusText("tcp://x:1", TwoShardNode(), TwoShards());
  EXPECT_THAT(text, HasSubstr("node a at tcp://x:1"));
  EXPECT_THAT(text, HasSubstr("\n0 "));
  EXPECT_THAT(text, HasSubstr("\n1 "));
  EXPECT_THAT(text, HasSubstr("\ntotal"));
  EXPECT_THAT(text, HasSubstr("errors    nvme_read_errors_total"));
}

TEST(StatusReportTest, SilentShardsAreSaid) {
  std::vector<ShardStats> shards = TwoShards();
  shards.pop_back();
  EXPECT_THAT(StatusText("x", TwoShardNode(), shards), HasSubstr("2 shards of which only 1 answer"));
  EXPECT_THAT(StatusText("x", TwoShardNode(), TwoShards()), Not(HasSubstr("of which")));
}

TEST(StatusReportTest, SuspendedDeviceIsAnAlarm) {
  const std::vector<ShardStats> shards = {{.values = {{"nvme_present", 1}, {"nvme_state", 2}}}};
  EXPECT_THAT(StatusText("x", TwoShardNode(), shards), HasSubstr("alarm     NVMe is out of service"));
}

TEST(StatusReportTest, TenantThatMayNotSeeTheNodeIsShownItsOwnFigures) {
  const std::vector<ShardStats> shards = {
      {.shard = 0, .values = {{"tenant_blocks", 3}, {"tenant_ram_bytes", 1024}, {"tenant_ram_quota_bytes", 2048}}},
      {.shard = 1, .values = {{"tenant_blocks", 4}, {"tenant_ram_bytes", 1024}, {"tenant_ram_quota_bytes", 2048}}}};
  const std::string text = StatusText("a", {.name = "n", .shard_count = 2}, shards);
  EXPECT_NE(text.find("7 of this tenant"), std::string::npos) << text;
  EXPECT_NE(text.find("2 KiB of 4 KiB\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("match hits"), std::string::npos) << text;
}

TEST(StatusReportTest, QuotaOfTheClusterIsShownBesideWhatItLeavesThisNodeAndNotAddedUp) {
  std::vector<ShardStats> shards(2);
  for (ShardStats& shard : shards) {
    shard.values = {{"tenant_blocks", 1}, {"tenant_nvme_quota_bytes", 1024}, {"tenant_cluster_nvme_quota_bytes", 6144}};
  }
  const std::string text = StatusText("a", {.name = "n", .shard_count = 2}, shards);
  EXPECT_THAT(text, HasSubstr("NVMe      0 bytes of 2 KiB; 6 KiB in the cluster\n"));
  EXPECT_EQ(StatusValues::TotalOf(shards).ToJson()["tenant_cluster_nvme_quota_bytes"], 6144);
}

}  // namespace
}  // namespace incipit
