#include "cache/shard/latency_histogram.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(LatencyHistogram, LatencyFallsBelowTheBoundOfItsBucket) {
  for (const int64_t us : {0, 1, 2, 3, 4, 1023, 1024, 1000000}) {
    LatencyHistogram histogram;
    histogram.Record(us * 1000);
    const auto found = std::find(histogram.counts.begin(), histogram.counts.end(), 1u) - histogram.counts.begin();
    EXPECT_LT(static_cast<uint64_t>(us), LatencyHistogram::UpperBoundUs(static_cast<int>(found))) << us;
    if (found > 0) {
      EXPECT_GE(static_cast<uint64_t>(us), LatencyHistogram::UpperBoundUs(static_cast<int>(found) - 1)) << us;
    }
  }
}

TEST(LatencyHistogram, NegativeAndHugeLatenciesStayInTheTable) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.counts[0], 1u);
  EXPECT_EQ(histogram.counts[LatencyHistogram::kBuckets - 1], 1u);
  EXPECT_EQ(histogram.count, 2u);
}

TEST(LatencyHistogram, SumIsInMicroseconds) {
  LatencyHistogram histogram;
  histogram.Record(2'000'000);
  histogram.Record(3'000'000);
  EXPECT_EQ(histogram.sum_us, 5000u);
}

}  // namespace
}  // namespace incipit
