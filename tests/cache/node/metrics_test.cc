#include "cache/node/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>

#include "absl/strings/match.h"
#include "tests/support/sample_report.h"

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::Not;

MetricsInput TwoShards() {
  MetricsInput input;
  input.node_name = "node \"a\"\\";
  input.node_id = 0xabc;
  input.shards = 2;
  input.reports = {SampleReport(0), SampleReport(1, 100'000)};
  return input;
}

// Series (name with labels) -> value. Fails the test on a line that is not in the text format.
std::map<std::string, double> Parse(const std::string& text) {
  static const std::regex comment("# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))");
  static const std::regex sample(
      R"rx(([a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})?) ([0-9.eE+-]+|\+Inf))rx");
  std::map<std::string, double> series;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, comment)) continue;
    EXPECT_TRUE(std::regex_match(line, parts, sample)) << line;
    if (parts.empty()) continue;
    EXPECT_TRUE(series.emplace(parts[1].str(), std::stod(parts[6].str())).second) << "twice: " << line;
  }
  return series;
}

TEST(MetricsTest, EveryLineIsInTheTextFormatAndNoSeriesComesTwice) {
  const std::map<std::string, double> series = Parse(RenderMetrics(TwoShards()));
  EXPECT_GT(series.size(), 200u);
  for (const auto& [name, value] : series) EXPECT_TRUE(name.starts_with("incipit_")) << name;
}

TEST(MetricsTest, ValuesStandUnderTheirShardAndLabels) {
  const MetricsInput input = TwoShards();
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  EXPECT_EQ(series["incipit_sessions{shard=\"1\"}"], input.reports[1].sessions);
  EXPECT_EQ(series["incipit_load_bytes_total{shard=\"0\",tier=\"nvme\",lane=\"tcp\"}"],
            input.reports[0].requests.lane(LaneKind::kTcp).load_bytes_nvme);
  EXPECT_EQ(series["incipit_lane_bytes_total{shard=\"0\",lane=\"ucx\",direction=\"sent\"}"],
            input.reports[0].requests.lane(LaneKind::kUcx).bytes_sent);
  EXPECT_EQ(series["incipit_errors_total{shard=\"1\",kind=\"nvme_read\"}"], input.reports[1].gauges.nvme.read_errors);
  EXPECT_EQ(series["incipit_nvme_state{shard=\"0\",state=\"serving\"}"], 1);
}

TEST(MetricsTest, NamesOfPeopleAreEscaped) {
  EXPECT_THAT(RenderMetrics(TwoShards()), HasSubstr(R"(node="node \"a\"\\")"));
}

TEST(MetricsTest, HistogramIsCumulativeAndEndsAtInfinity) {
  MetricsInput input;
  input.shards = 1;
  input.reports.resize(1);
  LatencyHistogram& load = input.reports[0].requests.load_latency;
  load.Record(3'000);             // 3 us: the bucket below 4 us
  load.Record(1'000'000);         // 1 ms: the bucket below 1.024 ms
  load.Record(3600'000'000'000);  // an hour: only in +Inf
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  const auto bucket = [&](const std::string& bound) {
    return series["incipit_request_latency_seconds_bucket{shard=\"0\",verb=\"load\",le=\"" + bound + "\"}"];
  };
  EXPECT_EQ(bucket("2e-06"), 0);
  EXPECT_EQ(bucket("4e-06"), 1);
  EXPECT_EQ(bucket("0.001024"), 2);
  EXPECT_EQ(bucket("+Inf"), 3);
  EXPECT_EQ((series["incipit_request_latency_seconds_count{shard=\"0\",verb=\"load\"}"]), 3);
  EXPECT_NEAR((series["incipit_request_latency_seconds_sum{shard=\"0\",verb=\"load\"}"]), 3600.001003, 1e-6);
}

TEST(MetricsTest, SilentShardIsDownAndTheOthersAreShown) {
  MetricsInput input = TwoShards();
  input.reports.erase(input.reports.begin());
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  EXPECT_EQ(series["incipit_shard_up{shard=\"0\"}"], 0);
  EXPECT_EQ(series["incipit_shard_up{shard=\"1\"}"], 1);
  EXPECT_FALSE(series.contains("incipit_sessions{shard=\"0\"}"));
}

TEST(MetricsTest, WithoutShardsOnlyTheProcessIsShown) {
  const std::string text = RenderMetrics(MetricsInput());
  EXPECT_THAT(text, HasSubstr("incipit_process_cpu_seconds_total"));
  EXPECT_THAT(text, HasSubstr("incipit_build_info{version=\""));
  EXPECT_THAT(text, Not(HasSubstr("incipit_sessions")));
  Parse(text);
}

TEST(MetricsTest, TenantsAreSummedOverShardsAndNamedUpToALimit) {
  MetricsInput input = TwoShards();
  constexpr size_t kTenants = kMaxTenantSeries + 10;
  for (ShardReport& report : input.reports) {
    report.tenants.push_back({.name = ""});  // who is not listed
    report.tenants.back().usage.ram_bytes = 1;
    for (size_t i = 0; i < kTenants; ++i) {
      report.tenants.push_back({.name = "t" + std::to_string(i)});
      report.tenants.back().usage.ram_bytes = 1000 + i;
    }
  }
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  const double largest = 2.0 * (1000 + kTenants - 1);
  EXPECT_EQ(series["incipit_tenant_ram_bytes{tenant=\"t" + std::to_string(kTenants - 1) + "\"}"], largest);
  EXPECT_FALSE(series.contains("incipit_tenant_ram_bytes{tenant=\"t9\"}")) << "one of the ten smallest";
  EXPECT_EQ(series["incipit_tenant_ram_bytes{tenant=\"(others)\"}"], 2.0 * (1 + 10 * 1000 + 45));
  EXPECT_EQ(
      std::ranges::count_if(series, [](const auto& one) { return one.first.starts_with("incipit_tenant_blocks"); }),
      static_cast<int64_t>(kMaxTenantSeries + 1));
}

TEST(MetricsTest, QuotasAreThoseThatThereAre) {
  MetricsInput input = TwoShards();
  for (ShardReport& report : input.reports) {
    report.tenants.push_back({.name = "a"});
    report.tenants.back().usage.quota = {.name = "a", .ram_bytes = 100, .cluster_ram_bytes = 600};
    report.tenants.push_back({.name = "b"});
    report.tenants.push_back({.name = "c"});
    report.tenants.back().usage.quota.nvme_bytes = 0;
  }
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  EXPECT_EQ(series["incipit_tenant_ram_quota_bytes{tenant=\"a\"}"], 200) << "of both shards";
  EXPECT_EQ(series["incipit_tenant_cluster_ram_quota_bytes{tenant=\"a\"}"], 600) << "of the cluster";
  EXPECT_TRUE(series.contains("incipit_tenant_nvme_quota_bytes{tenant=\"c\"}"));
  EXPECT_EQ(
      std::ranges::count_if(series, [](const auto& one) { return absl::StrContains(one.first, "_quota_bytes{"); }), 3);
}

TEST(MetricsTest, NamespacesShowHowFarTheirBlocksShrankAndAreNamedUpToALimit) {
  MetricsInput input = TwoShards();
  constexpr size_t kNamespaces = kMaxNamespaceSeries + 5;
  for (ShardReport& report : input.reports) {
    report.namespaces.push_back({"acme", "v3", "latents", {10, 3000, 2000}});
    for (size_t i = 0; i < kNamespaces; ++i) {
      report.namespaces.push_back({"other", "m" + std::to_string(i), "raw", {1, 10 + i, 10 + i}});
    }
  }
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  const std::string coded = "{tenant=\"acme\",model=\"v3\",layout=\"latents\"}";
  EXPECT_EQ(series["incipit_namespace_blocks" + coded], 20);
  EXPECT_EQ(series["incipit_namespace_raw_bytes" + coded], 6000);
  EXPECT_EQ(series["incipit_namespace_stored_bytes" + coded], 4000);
  EXPECT_EQ(series["incipit_namespace_codec_ratio" + coded], 1.5);
  EXPECT_EQ(series["incipit_namespace_codec_ratio{tenant=\"other\",model=\"m20\",layout=\"raw\"}"], 1);
  EXPECT_FALSE(series.contains("incipit_namespace_blocks{tenant=\"other\",model=\"m5\",layout=\"raw\"}"));
  const std::string others = "{tenant=\"(others)\",model=\"(others)\",layout=\"(others)\"}";
  EXPECT_EQ(series["incipit_namespace_raw_bytes" + others], 2 * (10 + 11 + 12 + 13 + 14 + 15));
  EXPECT_THAT(RenderMetrics(TwoShards()), Not(HasSubstr("incipit_namespace_")));
}

TEST(MetricsTest, NodeWithoutTenantsShowsNone) {
  EXPECT_THAT(RenderMetrics(TwoShards()), Not(HasSubstr("incipit_tenant_")));
}

TEST(MetricsTest, ANodeInAClusterShowsIt) {
  MetricsInput input = TwoShards();
  EXPECT_THAT(RenderMetrics(input), Not(HasSubstr("incipit_cluster_")));
  input.cluster = ClusterGauges{.epoch = 7, .nodes = 5, .nodes_serving = 4, .connected = false, .renewed_s_ago = 1.5};
  input.cluster->errors_refused = 3;
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  EXPECT_EQ(series["incipit_cluster_epoch"], 7);
  EXPECT_EQ(series["incipit_cluster_nodes"], 5);
  EXPECT_EQ(series["incipit_cluster_nodes_serving"], 4);
  EXPECT_EQ(series["incipit_cluster_connected"], 0);
  EXPECT_EQ(series["incipit_cluster_joined"], 1);
  EXPECT_EQ(series["incipit_cluster_renewed_seconds_ago"], 1.5);
  EXPECT_EQ(series["incipit_cluster_errors_total{kind=\"refused\"}"], 3);
  EXPECT_EQ(series["incipit_cluster_errors_total{kind=\"unreachable\"}"], 0);
}

TEST(MetricsTest, CurvesOfReuseAddUpOverShards) {
  MetricsInput input;
  input.shards = 2;
  input.reports.resize(2);
  input.reports[1].shard = 1;
  ReuseDistances near{.uses = 10}, far{.uses = 10};
  near.reused[2 * 8] = 5;   // hits with 256 blocks of a shard
  far.reused[2 * 12] = 10;  // and with 4096
  input.reports[0].reuse = {{"a", near}, {"", near}};
  input.reports[1].reuse = {{"a", far}};
  std::map<std::string, double> series = Parse(RenderMetrics(input));
  const auto ratio = [&](const std::string& tenant, const std::string& blocks) {
    return series["incipit_tenant_lru_hit_ratio{tenant=\"" + tenant + "\",blocks=\"" + blocks + "\"}"];
  };
  EXPECT_DOUBLE_EQ(ratio("a", "1024"), 5.0 / 20);
  EXPECT_DOUBLE_EQ(ratio("a", "16384"), 15.0 / 20);
  EXPECT_DOUBLE_EQ(ratio("(others)", "1024"), 5.0 / 10);
}

}  // namespace
}  // namespace incipit
