// Numbers of clusters that are larger than any machine here: models of time, over the product's placement.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/sim/hot_prefix_model.h"
#include "tests/sim/scale_model.h"

namespace incipit {
namespace {

using testing::HotPrefixModel;
using testing::HotPrefixOptions;
using testing::HotPrefixResult;
using testing::ScaleModel;
using testing::ScaleOptions;
using testing::ScaleResult;

ScaleResult Median(const ScaleOptions& wanted, const char* what) {
  std::vector<ScaleResult> results;
  for (uint64_t seed = 1; seed <= 9; ++seed) {
    ScaleOptions options = wanted;
    options.seed = seed;
    results.push_back(ScaleModel(options).Run());
  }
  std::sort(results.begin(), results.end(),
            [](const auto& a, const auto& b) { return a.efficiency() < b.efficiency(); });
  const ScaleResult& median = results[results.size() / 2];
  std::printf("%-44s ideal %8.1f ms, load %8.1f ms, of the ideal %.3f [%.3f-%.3f], busiest node %.3f of the mean\n",
              what, median.ideal_s * 1e3, median.load_s * 1e3, median.efficiency(), results.front().efficiency(),
              results.back().efficiency(), median.node_skew);
  return median;
}

TEST(Scale, AMillionTokensFrom64Nodes) {
  const ScaleOptions one_copy;
  ScaleOptions two_copies = one_copy;
  two_copies.copies = 2;
  ScaleOptions one_host = one_copy;
  one_host.receivers = 8;
  const ScaleResult single = Median(one_copy, "64 links, one copy of each block");
  const ScaleResult spread = Median(two_copies, "64 links, the better of two copies");
  const ScaleResult host = Median(one_host, "one host of 8 links");
  EXPECT_GE(spread.efficiency(), 0.85);
  EXPECT_GE(host.efficiency(), 0.85);
  EXPECT_GE(single.efficiency(), 0.75);
  EXPECT_GT(single.node_skew, spread.node_skew);
}

TEST(Scale, ASlowerLinkOnOneSideShows) {
  ScaleOptions slow;
  slow.link_bytes_per_s = 5e9;
  const double fast_s = ScaleModel(ScaleOptions()).Run().load_s, slow_s = ScaleModel(slow).Run().load_s;
  EXPECT_GT(slow_s, 8 * fast_s);
  EXPECT_LT(slow_s, 11 * fast_s);
}

HotPrefixResult Overload(uint64_t max_copies, bool by_waits, uint64_t seed) {
  HotPrefixOptions options;
  options.by_waits = by_waits;
  options.max_copies = max_copies;
  options.seed = seed;
  const HotPrefixResult result = HotPrefixModel(options).Run();
  std::printf(
      "seed %lu, %lu copies at most%s: cold median %.1f ms; p99 of the hot prefix in second 1, 2, 5, 10: %.1f %.1f "
      "%.1f %.1f ms; within 2x from second %.0f on; %lu copies of 32 blocks\n",
      seed, max_copies, by_waits ? ", by waits" : "", result.cold_median_s * 1e3, result.hot_p99_s[0] * 1e3,
      result.hot_p99_s[1] * 1e3, result.hot_p99_s[4] * 1e3, result.hot_p99_s[9] * 1e3, result.WithinFrom(2),
      result.copies);
  return result;
}

TEST(HotPrefix, CopiesBringTheTailBackWithinFiveSeconds) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const HotPrefixResult without = Overload(1, false, seed), with = Overload(8, true, seed);
    Overload(8, false, seed);
    EXPECT_EQ(without.WithinFrom(2), 10) << "the overload is none, seed " << seed;
    EXPECT_LE(with.WithinFrom(2), 5) << "seed " << seed;
    EXPECT_EQ(without.copies, 32u);
  }
}

}  // namespace
}  // namespace incipit
