#include "bench/common/percentiles.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(PercentilesTest, NearestRankOfAHundredSamples) {
  Percentiles samples;
  for (int i = 100; i >= 1; --i) samples.Add(i);
  EXPECT_EQ(samples.At(0.5), 50);
  EXPECT_EQ(samples.At(0.99), 99);
  EXPECT_EQ(samples.At(0.999), 100);
  EXPECT_EQ(samples.At(1), 100);
  EXPECT_EQ(samples.Min(), 1);
  EXPECT_EQ(samples.Max(), 100);
}

TEST(PercentilesTest, WithoutSamplesAllAreZero) {
  const Percentiles none;
  EXPECT_EQ(none.Median(), 0);
  EXPECT_EQ(none.Max(), 0);
}

TEST(PercentilesTest, MergeEqualsAddingAll) {
  Percentiles a, b;
  for (const double sample : {5.0, 1.0}) a.Add(sample);
  EXPECT_EQ(a.Median(), 1);
  for (const double sample : {2.0, 9.0, 7.0}) b.Add(sample);
  a.Merge(b);
  EXPECT_EQ(a.size(), 5u);
  EXPECT_EQ(a.Median(), 5);
  EXPECT_EQ(a.Max(), 9);
}

TEST(PercentilesTest, JsonHasTheThreeFieldsOfTheContract) {
  Percentiles samples;
  samples.Add(1.23456);
  const Json json = PercentilesJson(samples);
  EXPECT_EQ(json.dump(), R"({"p50":1.235,"p99":1.235,"p999":1.235})");
}

}  // namespace
}  // namespace incipit::bench
