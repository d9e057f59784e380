#include "cache/tenants/cluster_share.h"

#include <gtest/gtest.h>

#include <vector>

namespace incipit {
namespace {

TEST(ClusterShare, IsTheNodesWeightOverAllWeights) {
  EXPECT_EQ((ClusterShare{.own_weight = 1, .total_weight = 4}.Of(1000)), 250u);
  EXPECT_EQ((ClusterShare{.own_weight = 3, .total_weight = 4}.Of(1000)), 750u);
  EXPECT_EQ((ClusterShare{.own_weight = 3, .total_weight = 4}.Of(0)), 0u);
}

TEST(ClusterShare, WhoIsAloneHasAllOfIt) {
  EXPECT_EQ(ClusterShare().Of(1000), 1000u);
  EXPECT_EQ((ClusterShare{.own_weight = 65'535, .total_weight = 65'535}.Of(1000)), 1000u);
  EXPECT_EQ((ClusterShare{.own_weight = 0, .total_weight = 0}.Of(1000)), 1000u) << "nobody has any weight";
  EXPECT_EQ((ClusterShare{.own_weight = 7, .total_weight = 0}.Of(1000)), 1000u);
}

TEST(ClusterShare, WithoutWeightBesideOthersItIsNothing) {
  EXPECT_EQ((ClusterShare{.own_weight = 0, .total_weight = 5}.Of(UINT64_MAX)), 0u);
}

TEST(ClusterShare, LargestQuotasAndWeightsDoNotOverflow) {
  constexpr uint64_t kAllWeights = 1024ull * 65'535;
  EXPECT_EQ((ClusterShare{.own_weight = 65'535, .total_weight = kAllWeights}.Of(UINT64_MAX)), UINT64_MAX / 1024);
  EXPECT_EQ((ClusterShare{.own_weight = UINT64_MAX - 1, .total_weight = UINT64_MAX}.Of(UINT64_MAX)), UINT64_MAX - 1);
  EXPECT_EQ((ClusterShare{.own_weight = 1, .total_weight = UINT64_MAX}.Of(UINT64_MAX)), 1u);
}

TEST(ClusterShare, SharesAreNeverMoreThanTheWhole) {
  const std::vector<uint64_t> weights = {1, 2, 3, 64, 1088, 65'535};
  uint64_t all = 0;
  for (const uint64_t weight : weights) all += weight;
  for (const uint64_t quota : std::vector<uint64_t>{1, 999, 1ull << 40, UINT64_MAX - 1}) {
    uint64_t sum = 0;
    for (const uint64_t weight : weights) sum += ClusterShare{.own_weight = weight, .total_weight = all}.Of(quota);
    ASSERT_LE(sum, quota);
    EXPECT_LE(quota - sum, weights.size() - 1) << "no more is lost than by rounding";
  }
}

}  // namespace
}  // namespace incipit
