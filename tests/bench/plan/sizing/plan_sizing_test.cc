#include "bench/plan/sizing/plan_sizing.h"

#include <gmock/gmock.h>

#include "bench/plan/belady_gap.h"
#include "bench/plan/plan_report.h"
#include "bench/plan/sizing/sizing_report.h"
#include "tests/support/small_trace.h"

namespace incipit::bench {
namespace {

using testing::HasSubstr;

PlanReport Plan(SizingScope scope, std::vector<std::string> policies = {"lru", "gil", "min"}) {
  PlanOptions options{
      .trace_path = WriteSmallTrace("plan_sizing_test"), .policies = std::move(policies), .sizes_percent = {5, 20}};
  options.sizing.scope = scope;
  absl::StatusOr<PlanReport> report = RunPlan(options, {});
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *std::move(report) : PlanReport();
}

TEST(PlanSizingTest, EveryRowButTheBoundIsSized) {
  const PlanReport report = Plan(SizingScope::kAll);
  ASSERT_EQ(report.rows.size(), 6u);
  for (const PlanRow& row : report.rows) {
    ASSERT_EQ(row.sizing.has_value(), row.policy != "min") << row.policy;
    if (!row.sizing.has_value()) continue;
    EXPECT_NEAR(row.sizing->ram_hit_ratio + row.sizing->nvme_hit_ratio, row.totals.TokenHitRatio(), 1e-9) << row.policy;
    EXPECT_LE(row.sizing->ttft_with_s.mean, row.sizing->ttft_without_s.mean) << row.policy;
    EXPECT_GT(row.sizing->saved_tokens_per_hour, 0) << row.policy;
  }
}

TEST(PlanSizingTest, TheGapIsWhatPolicyAndCapacityMiss) {
  const PlanReport report = Plan(SizingScope::kAll);
  for (size_t i = 0; i < report.rows.size(); ++i) {
    const BeladyGap gap = GapOf(report, i);
    EXPECT_NEAR(report.rows[i].totals.TokenHitRatio() + gap.by_policy + gap.by_capacity, report.endless.TokenHitRatio(),
                1e-12);
    if (report.rows[i].policy == "min") {
      EXPECT_EQ(gap.by_policy, 0);
    } else {
      EXPECT_GE(gap.by_policy, -1e-3);
    }
    EXPECT_GE(gap.by_capacity, -1e-12);
  }
}

TEST(PlanSizingTest, TheRecommendationIsARowThatIsOneOfTheSplits) {
  const PlanReport report = Plan(SizingScope::kAll);
  ASSERT_TRUE(report.recommendation.has_value());
  EXPECT_NE(report.recommendation->policy, "min");
  EXPECT_EQ(report.recommendation->splits.size(), std::size(kRamPercentsTried));
  for (const RowSizing& split : report.recommendation->splits) {
    EXPECT_LE(split.NetDollarsPerHour(), report.recommendation->sizing().NetDollarsPerHour());
  }
  EXPECT_THAT(report.recommendation->serve_command, HasSubstr("incipit serve --ram "));
}

TEST(PlanSizingTest, TextEndsWithTheCommandThatStartsANode) {
  const PlanReport report = Plan(SizingScope::kAll);
  const std::string text = PlanText(report);
  EXPECT_TRUE(text.ends_with("\nOn each node:\n  " + report.recommendation->serve_command + "\n")) << text;
  for (const char* wanted : {"missing", "TTFT", "NVMe/d", "with one lost", "GPU hours"}) {
    EXPECT_THAT(text, HasSubstr(wanted));
  }
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    EXPECT_LE(end - begin, 140u) << text.substr(begin, end - begin);
  }
}

TEST(PlanSizingTest, JsonHasWhatOperatorsAskFor) {
  const Json json = PlanJson(Plan(SizingScope::kAll));
  const Json& row = json["rows"][0];
  for (const char* field : {"bound_token_hit_ratio", "gap_by_policy", "gap_by_capacity", "sizing"}) {
    EXPECT_TRUE(row.contains(field)) << field;
  }
  for (const char* field :
       {"ram_bytes", "nvme_bytes", "ram_hit_ratio", "nvme_hit_ratio", "written_bytes_per_day",
        "endurance_bytes_per_day", "read_per_node", "store_per_node", "nodes_for_slo", "nodes_with_one_lost",
        "hit_ratio_after_loss", "ttft_with_s", "ttft_without_s", "dollars_per_million_tokens_saved"}) {
    EXPECT_TRUE(row["sizing"].contains(field)) << field;
    EXPECT_FALSE(row["sizing"][field].is_null()) << field;
  }
  EXPECT_TRUE(row["sizing"]["read_per_node"].contains("p99_bytes_per_s"));
  EXPECT_EQ(row["sizing"]["ttft_with_s"]["quantiles"].size(), Distribution::kShares.size());
  EXPECT_TRUE(json["recommendation"].contains("serve"));
  EXPECT_EQ(json["assumptions"]["gpu"], "h100");
}

TEST(PlanSizingTest, WithoutItNothingIsReplayedAndNothingSaid) {
  const PlanReport report = Plan(SizingScope::kNone, {"lru"});
  EXPECT_FALSE(report.rows[0].sizing.has_value());
  EXPECT_TRUE(report.bounds.empty());
  EXPECT_EQ(SizingText(report), "");
  const Json json = PlanJson(report);
  EXPECT_FALSE(json.contains("recommendation"));
  EXPECT_FALSE(json["rows"][0].contains("sizing"));
}

TEST(PlanSizingTest, AutoLeavesLargeWorkloadsOut) {
  PlanReport report;
  report.options.sizing.scope = SizingScope::kAuto;
  report.block_references = kMaxSizedReferences;
  EXPECT_TRUE(SizesRows(report));
  ++report.block_references;
  EXPECT_FALSE(SizesRows(report));
  SizePlan(PrefixTrace(1), &report, {});
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_THAT(report.warnings[0], HasSubstr("--sizing all"));
}

TEST(PlanSizingTest, WithoutATimeSpanRatesAreNullAndThereIsNoRecommendation) {
  PlanReport report = Plan(SizingScope::kAll, {"lru"});
  report.rows[0].sizing->has_rates = false;
  const Json sizing = PlanJson(report)["rows"][0]["sizing"];
  EXPECT_TRUE(sizing["dollars_per_hour"].is_null());
  EXPECT_TRUE(sizing["read_per_node"].is_null());
  EXPECT_FALSE(sizing["ttft_with_s"].is_null());
  EXPECT_THAT(SizingText(report), HasSubstr("  -  "));
}

}  // namespace
}  // namespace incipit::bench
