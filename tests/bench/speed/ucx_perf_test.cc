#include "bench/speed/ucx_perf.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(UcxPerfTest, OverallBandwidthIsReadInGigabytes) {
  const absl::StatusOr<double> rate = ParseUcxPerf(
      "iterations,50.0_percentile_lat,avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr\n"
      " 300,19572.975,28136.114,18568.577,152.44,1000.00,36,54\n");
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_DOUBLE_EQ(*rate, 1.048576);
}

TEST(UcxPerfTest, OutputWithoutAResultIsAnError) {
  for (const char* text : {"", "\n", "ucx_perftest: command not found", " 300,1.0\n", "a,b,c,d,e,f,g,h\n"}) {
    EXPECT_FALSE(ParseUcxPerf(text).ok()) << text;
  }
}

}  // namespace
}  // namespace incipit::bench
