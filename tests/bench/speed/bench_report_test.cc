#include <gtest/gtest.h>

#include "bench/speed/bench_options.h"

namespace incipit::bench {
namespace {

TEST(BenchReportTest, RatioIsTheMedianOfThePairsNotTheRatioOfMedians) {
  BenchReport report;
  report.ceiling_name = "stream";
  report.samples.AddRates(1, 10);
  report.samples.AddRates(2, 4);
  report.samples.AddRates(9, 9);
  const Json json = BenchJson(report);
  EXPECT_EQ(json["value"], 2.0);
  EXPECT_EQ(json["ceiling"]["value"], 9.0);
  EXPECT_EQ(json["ratio"], 0.5);
  EXPECT_EQ(json["ratio_range"], Json::array({0.1, 1.0}));
}

TEST(BenchReportTest, OfTimesTheSmallerIsTheBetter) {
  PairedSamples samples;
  samples.AddTimes(/*value=*/5, /*ceiling=*/4);
  EXPECT_DOUBLE_EQ(samples.ratios.Median(), 0.8);
}

TEST(BenchReportTest, JsonHasTheFieldsOfTheContract) {
  BenchReport report;
  report.unit = "GB/s";
  report.ceiling_name = "stream";
  report.samples.AddRates(2, 4);
  report.client_cpu_s = 1;
  report.server_cpu_s = 3;
  report.cpu_bytes = 2'000'000'000;
  report.target_ratio = 0.9;
  const Json json = BenchJson(report);
  for (const char* field : {"value", "unit", "ceiling", "ratio", "latency_us", "cpu_s_per_gb", "wrong_bytes"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_EQ(json["ceiling"]["unit"], "GB/s");
  EXPECT_EQ(json["cpu_s_per_gb"]["client"], 0.5);
  EXPECT_EQ(json["cpu_s_per_gb"]["server"], 1.5);
  EXPECT_EQ(json["target"]["met"], false);
  EXPECT_TRUE(report.ok());
}

TEST(BenchReportTest, WrongBytesOrFailuresOrNoSamplesAreNotOk) {
  BenchReport report;
  EXPECT_FALSE(report.ok());
  report.samples.AddRates(1, 1);
  EXPECT_TRUE(report.ok());
  report.wrong_bytes = 1;
  EXPECT_FALSE(report.ok());
  report.wrong_bytes = 0;
  report.failures = 1;
  EXPECT_FALSE(report.ok());
}

TEST(BenchReportTest, ValueWithoutACeilingHasNoRatio) {
  BenchReport report;
  report.samples.values.Add(0.2);
  report.target_value = 1;
  const Json json = BenchJson(report);
  EXPECT_TRUE(json["ceiling"].is_null());
  EXPECT_TRUE(json["ratio"].is_null());
  EXPECT_EQ(json["target"]["met"], true);
}

}  // namespace
}  // namespace incipit::bench
