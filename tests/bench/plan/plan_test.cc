#include "bench/plan/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bench/plan/plan_report.h"
#include "eviction/policies.h"

namespace incipit::bench {
namespace {

// The recorded conversations, where they are: see tests/eviction/conv_trace_test.cc.
std::string RecordedTrace() {
  const char* path = std::getenv("INCIPIT_TRACE");
  return path != nullptr ? path : INCIPIT_SOURCE_DIR "/../shared/traces/mooncake_conversation.jsonl";
}

std::string WriteTrace(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/plan_test_" + name + ".jsonl";
  std::ofstream(path) << text;
  return path;
}

std::string Line(uint64_t timestamp, uint64_t tokens, const std::string& ids) {
  return "{\"timestamp\": " + std::to_string(timestamp) + ", \"input_length\": " + std::to_string(tokens) +
         ", \"output_length\": 1, \"hash_ids\": [" + ids + "]}\n";
}

PlanReport Plan(const PlanOptions& options) {
  absl::StatusOr<PlanReport> report = RunPlan(options, {});
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *std::move(report) : PlanReport();
}

double HitPercent(const PlanReport& report, const std::string& policy, double size) {
  for (const PlanRow& row : report.rows) {
    if (row.policy == policy && row.size_percent == size) return 100 * row.totals.TokenHitRatio();
  }
  ADD_FAILURE() << "no row of " << policy << " at " << size;
  return 0;
}

double GeometricMean(const PlanReport& report, const std::string& policy, const std::string& other, bool flops,
                     std::initializer_list<double> sizes) {
  double sum = 0;
  for (const double size : sizes) {
    double ratios[2] = {0, 0};
    for (const PlanRow& row : report.rows) {
      if (row.size_percent != size) continue;
      const double value = flops ? row.totals.FlopsSavedRatio() : row.totals.TokenHitRatio();
      if (row.policy == policy) ratios[0] = value;
      if (row.policy == other) ratios[1] = value;
    }
    sum += std::log(ratios[0] / ratios[1]);
  }
  return std::exp(sum / static_cast<double>(sizes.size()));
}

TEST(PlanTest, ForecastsWhatCountingByHandGives) {
  const std::string path = WriteTrace("hand", Line(0, 30, "1,2,3") + Line(1, 20, "1,2") + Line(2, 25, "1,2,9"));
  const PlanReport report =
      Plan({.trace_path = path, .block_tokens = 10, .policies = {"lru", "min", "auto"}, .sizes_percent = {25, 100}});
  EXPECT_EQ(report.unique_blocks, 4u);
  ASSERT_EQ(report.rows.size(), 6u);
  EXPECT_EQ(report.rows[0].capacity_blocks, 1u);
  EXPECT_NEAR(HitPercent(report, "lru", 100), 100 * 40.0 / 75, 1e-9);
  EXPECT_NEAR(HitPercent(report, "min", 100), 100 * 40.0 / 75, 1e-9);
  EXPECT_NEAR(HitPercent(report, "min", 25), 100 * 20.0 / 75, 1e-9);
  EXPECT_NEAR(HitPercent(report, "auto", 25), 100 * 20.0 / 75, 1e-9);
  EXPECT_GT(report.peak_memory_bytes, 0u);
}

TEST(PlanTest, ThreadsDoNotChangeTheForecast) {
  PlanOptions options{.workload = "templates", .policies = PolicyNames(), .sizes_percent = {1, 10}, .threads = 1};
  const PlanReport one = Plan(options);
  options.threads = 4;
  const PlanReport four = Plan(options);
  ASSERT_EQ(one.rows.size(), four.rows.size());
  for (size_t i = 0; i < one.rows.size(); ++i) {
    EXPECT_EQ(one.rows[i].totals.hit_tokens, four.rows[i].totals.hit_tokens) << one.rows[i].policy;
  }
}

TEST(PlanTest, OddTracesArePlannedWithWarnings) {
  const std::string path = WriteTrace("odd", Line(5, 10, "1") + "?\n" + Line(3, 10, "1") + Line(9, 0, ""));
  const PlanReport report = Plan({.trace_path = path, .block_tokens = 10, .policies = {"lru"}, .sizes_percent = {100}});
  std::string warnings;
  for (const std::string& warning : report.warnings) warnings += warning + "\n";
  EXPECT_NE(warnings.find("1 of 4 lines are malformed"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("line 2: "), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("1 requests are earlier"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("1 requests name no block"), std::string::npos) << warnings;
}

TEST(PlanTest, WhatCannotBePlannedIsRefusedWithTheReason) {
  const std::string good = WriteTrace("good", Line(0, 10, "1"));
  const PlanOptions usual{.trace_path = good, .block_tokens = 10, .policies = {"lru"}, .sizes_percent = {10}};
  const auto refused = [](const PlanOptions& options, const char* wanted) {
    const absl::Status status = RunPlan(options, {}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(wanted), absl::string_view::npos) << status;
  };
  PlanOptions options = usual;
  options.policies = {"clock"};
  refused(options, "no policy is named \"clock\"");
  options = usual;
  options.sizes_percent = {0};
  refused(options, "--sizes");
  options = usual;
  options.shards = 0;
  refused(options, "--shards");
  options = usual;
  options.trace_path = "/nonexistent.jsonl";
  refused(options, "/nonexistent.jsonl");
  options = usual;
  options.trace_path = WriteTrace("empty", "");
  refused(options, "is empty");
  options = usual;
  options.trace_path = WriteTrace("blockless", Line(0, 0, ""));
  refused(options, "names a block");
  options = usual;
  options.strict = true;
  options.trace_path = WriteTrace("bad", Line(0, 10, "1") + "?\n");
  refused(options, "line 2");
}

TEST(PlanTest, HintsCloseHalfOfTheGapOnAgents) {
  PlanOptions options{
      .workload = "agentic", .policies = {"lru", "auto", "min"}, .sizes_percent = {2}, .hint_next_use_s = 10};
  const PlanReport report = Plan(options);
  const double lru = HitPercent(report, "lru", 2), bound = HitPercent(report, "min", 2);
  std::printf("plan: agentic at 2 %%: lru %.2f, auto with hints %.2f, min %.2f\n", lru, HitPercent(report, "auto", 2),
              bound);
  EXPECT_GE(HitPercent(report, "auto", 2), lru + 0.5 * (bound - lru));
}

class RecordedPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::ifstream(RecordedTrace())) {
      GTEST_SKIP() << "no file " << RecordedTrace() << " (set INCIPIT_TRACE)";
    }
  }
};

TEST_F(RecordedPlanTest, KnownPoliciesHitAsMeasuredElsewhere) {
  const std::vector<double> sizes = {1, 2, 5, 10, 20, 50};
  // Token hit percentages, measured with other implementations. S3-FIFO: threshold 1.
  const std::pair<const char*, std::vector<double>> measured[] = {
      {"fifo", {5.2, 7.8, 17.9, 25.3, 31.9, 36.2}},     {"lru", {5.3, 8.1, 20.0, 28.4, 35.2, 37.0}},
      {"lfu", {5.9, 8.5, 12.9, 19.9, 31.3, 37.0}},      {"lfu-kept", {10.0, 12.7, 18.5, 24.4, 30.7, 37.0}},
      {"s3-fifo", {7.6, 10.9, 19.1, 25.0, 33.4, 36.9}}, {"sieve", {5.9, 8.5, 12.9, 19.9, 31.3, 37.0}},
      {"arc", {6.6, 9.3, 21.4, 29.0, 32.6, 37.0}},      {"min", {25.1, 32.0, 37.4, 37.4, 37.4, 37.4}}};
  PlanOptions options{.trace_path = RecordedTrace(), .sizes_percent = sizes};
  for (const auto& [policy, percents] : measured) options.policies.push_back(policy);
  const PlanReport report = Plan(options);
  std::printf("%s", PlanText(report).c_str());
  for (const auto& [policy, percents] : measured) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_NEAR(HitPercent(report, policy, sizes[i]), percents[i], policy == std::string("min") ? 0.2 : 0.5)
          << policy << " at " << sizes[i] << " %";
    }
  }
}

TEST_F(RecordedPlanTest, AutoBeatsLruWhereItMattersAndLosesNowhere) {
  PlanOptions options{
      .trace_path = RecordedTrace(), .policies = {"lru", "auto"}, .sizes_percent = {1, 2, 5, 10, 20, 50}};
  const PlanReport tokens = Plan(options);
  EXPECT_GE(GeometricMean(tokens, "auto", "lru", false, {1, 2, 5}), 1.30);
  EXPECT_GE(GeometricMean(tokens, "auto", "lru", false, {10, 20, 50}), 1.0);
  for (const double size : options.sizes_percent) {
    EXPECT_GE(HitPercent(tokens, "auto", size), HitPercent(tokens, "lru", size) - 0.3) << size << " %";
  }
  options.by_flops = true;
  EXPECT_GE(GeometricMean(Plan(options), "auto", "lru", true, {1, 2, 5}), 1.5);
}

}  // namespace
}  // namespace incipit::bench
