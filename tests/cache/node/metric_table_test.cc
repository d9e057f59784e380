#include "cache/node/metric_table.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <string>

#include "tests/support/sample_report.h"

namespace incipit {
namespace {

TEST(MetricTableTest, NamesFollowTheConventions) {
  const std::regex name("[a-z][a-z0-9_]*");
  for (const MetricRow& row : ShardMetricRows()) {
    EXPECT_TRUE(std::regex_match(row.family, name)) << row.family;
    EXPECT_EQ(std::string(row.family).ends_with("_total"), row.kind == MetricKind::kCounter) << row.family;
  }
}

TEST(MetricTableTest, RowsOfOneFamilyStandTogetherUnderOneHelp) {
  std::set<std::string> seen;
  std::string last;
  for (const MetricRow& row : ShardMetricRows()) {
    if (row.help != nullptr) {
      EXPECT_TRUE(seen.insert(row.family).second) << row.family << " stands in two places";
      EXPECT_TRUE(std::string(row.help).ends_with(".")) << row.help;
    } else {
      EXPECT_EQ(row.family, last);
    }
    last = row.family;
  }
}

TEST(MetricTableTest, NoTwoRowsAreTheSameSeries) {
  std::set<std::string> series;
  for (const MetricRow& row : ShardMetricRows()) {
    EXPECT_TRUE(series.insert(std::string(row.family) + "{" + row.labels).second) << row.family << " " << row.labels;
  }
}

TEST(MetricTableTest, EveryReportedValueIsExported) {
  const ShardReport report = SampleReport(0);
  std::set<uint64_t> exported;
  for (const MetricRow& row : ShardMetricRows()) exported.insert(row.value(report));
  // What the page splits by tier or by lane: the rest of it stands in the rows beside.
  const std::set<std::string> split = {"match_hits_total",      "nvme_state",        "load_bytes_ram_total",
                                       "load_bytes_nvme_total", "store_bytes_total", "received_bytes_total",
                                       "sent_bytes_total"};
  for (const auto& [name, value] : report.Values()) {
    if (split.contains(name)) continue;
    EXPECT_TRUE(exported.contains(value)) << name;
  }
}

TEST(MetricTableTest, EveryByteStandsUnderTheLaneThatCarriedIt) {
  const ShardReport report = SampleReport(0);
  std::map<std::string, uint64_t> rows;
  for (const MetricRow& row : ShardMetricRows()) rows[std::string(row.family) + " " + row.labels] = row.value(report);
  for (const auto& [name, kind] :
       {std::pair("tcp", LaneKind::kTcp), {"unix", LaneKind::kUnix}, {"ucx", LaneKind::kUcx}}) {
    const LaneCounters& lane = report.requests.lane(kind);
    const std::string label = std::string("lane=") + name;
    EXPECT_EQ(rows["load_bytes_total tier=ram," + label], lane.load_bytes_ram);
    EXPECT_EQ(rows["load_bytes_total tier=nvme," + label], lane.load_bytes_nvme);
    EXPECT_EQ(rows["store_bytes_total " + label], lane.store_bytes);
    EXPECT_EQ(rows["lane_bytes_total " + label + ",direction=received"], lane.bytes_received);
    EXPECT_EQ(rows["lane_bytes_total " + label + ",direction=sent"], lane.bytes_sent);
  }
}

TEST(MetricTableTest, MatchesSplitIntoTiersAndMisses) {
  ShardReport report;
  report.requests.match_keys = 100;
  report.requests.match_hits = 60;
  report.requests.match_hits_nvme = 20;
  uint64_t sum = 0;
  for (const MetricRow& row : ShardMetricRows()) {
    const std::string family = row.family;
    if (family == "match_hits_total" || family == "match_misses_total") sum += row.value(report);
    if (family == "match_hits_total" && row.labels == std::string("tier=ram")) {
      EXPECT_EQ(row.value(report), 40u);
    }
  }
  EXPECT_EQ(sum, 100u);
}

TEST(MetricTableTest, ExactlyOneStateOfThePresentTierIsSet) {
  ShardReport report;
  const auto states_set = [&] {
    uint64_t sum = 0;
    for (const MetricRow& row : ShardMetricRows()) {
      if (row.family == std::string("nvme_state")) sum += row.value(report);
    }
    return sum;
  };
  EXPECT_EQ(states_set(), 0u);
  report.gauges.has_nvme = true;
  for (const NvmeState state : {NvmeState::kRecovering, NvmeState::kServing, NvmeState::kSuspended}) {
    report.gauges.nvme.state = state;
    EXPECT_EQ(states_set(), 1u);
  }
}

}  // namespace
}  // namespace incipit
