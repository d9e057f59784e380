#include <gtest/gtest.h>

#include "bench/demo/demo.h"

namespace incipit::bench {
namespace {

DemoReport GoodReport() {
  DemoReport report;
  for (const char* name : {"store", "load", "load-edited", "load-after-crash"}) {
    DemoStep step;
    step.name = name;
    step.ok = true;
    step.report.bytes = 2'000'000'000;
    step.report.seconds = 0.5;
    step.report.tokens_matched = 60'000;
    report.steps.push_back(step);
  }
  return report;
}

TEST(DemoReportTest, JsonHasTheFieldsOfTheContract) {
  const Json json = DemoJson(GoodReport());
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["wrong_bytes"], 0);
  ASSERT_EQ(json["steps"].size(), 4u);
  for (const char* field : {"name", "tokens_prompt", "tokens_matched", "blocks", "bytes", "seconds", "gb_per_s"}) {
    EXPECT_TRUE(json["steps"][0].contains(field)) << field;
  }
  EXPECT_EQ(json["steps"][1]["gb_per_s"], 4.0);
  EXPECT_EQ(json["steps"][1]["recompute_seconds"], 2.0);
}

TEST(DemoReportTest, OneWrongStepSpoilsTheWhole) {
  DemoReport report = GoodReport();
  report.steps[2].ok = false;
  report.steps[2].report.wrong_bytes = 5;
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.WrongBytes(), 5u);
  EXPECT_NE(DemoText(report).find("WRONG"), std::string::npos);
}

TEST(DemoReportTest, MissingStepsAreNotOk) {
  DemoReport report = GoodReport();
  report.steps.pop_back();
  EXPECT_FALSE(report.ok());
  EXPECT_FALSE(DemoReport().ok());
}

TEST(DemoWorkerTest, ReportSurvivesTheWayThroughJson) {
  DemoWorkerReport report;
  report.tokens_matched = 64;
  report.bytes = 123;
  report.seconds = 0.25;
  report.wrong_bytes = 1;
  const absl::StatusOr<DemoWorkerReport> read = ParseDemoWorkerJson(DemoWorkerJson(report).dump());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->tokens_matched, 64u);
  EXPECT_EQ(read->bytes, 123u);
  EXPECT_EQ(read->seconds, 0.25);
  EXPECT_EQ(read->wrong_bytes, 1u);
}

TEST(DemoWorkerTest, BrokenOutputOfAWorkerIsAnError) {
  for (const char* text : {"", "{}", "[1]", "{\"tokens_prompt\": \"x\"}"}) EXPECT_FALSE(ParseDemoWorkerJson(text).ok());
}

TEST(DemoWorkerTest, LayoutsWithWindowsAreRefusedByName) {
  EXPECT_TRUE(DemoLayout("deepseek-v4.1-flash").ok());
  const absl::StatusOr<Layout> layout = DemoLayout("deepseek-v4-flash");
  ASSERT_FALSE(layout.ok());
  EXPECT_NE(layout.status().message().find("window"), absl::string_view::npos) << layout.status();
}

}  // namespace
}  // namespace incipit::bench
