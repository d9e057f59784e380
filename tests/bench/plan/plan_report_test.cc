#include "bench/plan/plan_report.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

PlanReport Sample() {
  PlanReport report;
  report.options.trace_path = "a.jsonl";
  report.options.policies = {"lru", "min"};
  report.options.sizes_percent = {2.5, 50};
  report.unique_blocks = 40;
  for (const std::string& policy : report.options.policies) {
    for (const double size : report.options.sizes_percent) {
      PlanRow row{.policy = policy, .size_percent = size};
      row.totals.hit_tokens = policy == "lru" ? 10 : 20;
      row.totals.input_tokens = 80;
      row.totals.hit_flops = 1;
      row.totals.input_flops = 4;
      report.rows.push_back(row);
    }
  }
  report.warnings = {"odd"};
  return report;
}

TEST(PlanReportTest, JsonHasTheFieldsThatScriptsRead) {
  const Json json = PlanJson(Sample());
  EXPECT_EQ(json["unique_blocks"], 40);
  ASSERT_EQ(json["rows"].size(), 4u);
  EXPECT_EQ(json["rows"][0]["policy"], "lru");
  EXPECT_EQ(json["rows"][0]["size_percent"], 2.5);
  EXPECT_EQ(json["rows"][0]["token_hit_ratio"], 0.125);
  EXPECT_EQ(json["rows"][3]["flops_saved_ratio"], 0.25);
  EXPECT_EQ(json["warnings"][0], "odd");
  EXPECT_TRUE(json.contains("seconds"));
  EXPECT_TRUE(json.contains("peak_memory_bytes"));
}

TEST(PlanReportTest, TextHasARowPerPolicyAndAColumnPerSize) {
  const std::string text = PlanText(Sample());
  EXPECT_NE(text.find("2.5 %"), std::string::npos) << text;
  EXPECT_NE(text.find("\nlru          12.5/25.0   12.5/25.0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nmin          25.0/25.0"), std::string::npos) << text;
}

}  // namespace
}  // namespace incipit::bench
