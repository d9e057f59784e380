#include "bench/plan/sizing/distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cache/base/check.h"

namespace incipit::bench {
namespace {

constexpr double kRounding = 1e-9;  // 0.07 x 100 is a little over 7

size_t RankOf(size_t samples, double share) {
  const double rank = std::ceil(share * static_cast<double>(samples) - kRounding);
  return std::min(samples - 1, static_cast<size_t>(std::max(0.0, rank - 1)));
}

}  // namespace

double Distribution::At(double share) const {
  const auto found = std::find(kShares.begin(), kShares.end(), share);
  INCIPIT_CHECK(found != kShares.end(), "a distribution keeps the quantiles of kShares only");
  return at[static_cast<size_t>(found - kShares.begin())];
}

Distribution Distribution::Of(std::vector<double> samples) {
  Distribution result;
  if (samples.empty()) return result;
  std::sort(samples.begin(), samples.end());
  result.mean = std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
  for (size_t i = 0; i < kShares.size(); ++i) result.at[i] = samples[RankOf(samples.size(), kShares[i])];
  return result;
}

double QuantileOf(std::vector<double>* samples, double share) {
  if (samples->empty()) return 0;
  const auto at = samples->begin() + static_cast<ptrdiff_t>(RankOf(samples->size(), share));
  std::nth_element(samples->begin(), at, samples->end());
  return *at;
}

}  // namespace incipit::bench
