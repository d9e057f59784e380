#include "bench/plan/sizing/distribution.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(DistributionTest, QuantilesAreSamplesAndTheMeanIsExact) {
  std::vector<double> samples;
  for (int i = 1000; i >= 1; --i) samples.push_back(i);
  const Distribution distribution = Distribution::Of(samples);
  EXPECT_EQ(distribution.mean, 500.5);
  EXPECT_EQ(distribution.At(0.05), 50);
  EXPECT_EQ(distribution.At(0.5), 500);
  EXPECT_EQ(distribution.At(0.99), 990);
  EXPECT_EQ(distribution.At(0.999), 999);
}

TEST(DistributionTest, FewSamplesAreTheirOwnQuantiles) {
  EXPECT_EQ(Distribution::Of({}).At(0.5), 0);
  const Distribution one = Distribution::Of({7});
  EXPECT_EQ(one.At(0.05), 7);
  EXPECT_EQ(one.At(0.999), 7);
}

TEST(DistributionTest, OneQuantileIsThatOfTheWhole) {
  std::vector<double> samples = {5, 1, 4, 2, 3};
  EXPECT_EQ(QuantileOf(&samples, 0.2), 1);
  EXPECT_EQ(QuantileOf(&samples, 0.21), 2);
  EXPECT_EQ(QuantileOf(&samples, 1), 5);
  std::vector<double> none;
  EXPECT_EQ(QuantileOf(&none, 0.5), 0);
}

}  // namespace
}  // namespace incipit::bench
