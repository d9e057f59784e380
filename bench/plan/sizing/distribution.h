// A distribution as its mean and a few quantiles.
#pragma once

#include <array>
#include <vector>

namespace incipit::bench {

// Plain data, in the unit of the samples.
struct Distribution {
  static constexpr std::array<double, 21> kShares = {0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55,
                                                     0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.99, 0.999};
  double mean = 0;
  std::array<double, kShares.size()> at = {};  // at[i]: the least sample that kShares[i] of all do not exceed

  // REQUIRES: `share` is one of kShares.
  double At(double share) const;
  // All 0 without samples.
  static Distribution Of(std::vector<double> samples);
};

// The least sample that `share` (over 0, up to 1) of all do not exceed; 0 without samples. Reorders them.
double QuantileOf(std::vector<double>* samples, double share);

}  // namespace incipit::bench
