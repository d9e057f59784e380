#include "bench/common/percentiles.h"

#include <algorithm>
#include <cmath>

namespace incipit::bench {

void Percentiles::Merge(const Percentiles& other) {
  samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
  sorted_ = false;
}

double Percentiles::At(double share) const {
  if (samples_.empty()) return 0;
  if (!sorted_) std::sort(samples_.begin(), samples_.end());
  sorted_ = true;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(samples_.size())));
  return samples_[std::clamp<size_t>(rank, 1, samples_.size()) - 1];
}

Json PercentilesJson(const Percentiles& samples) {
  return {{"p50", Rounded(samples.At(0.5), 3)},
          {"p99", Rounded(samples.At(0.99), 3)},
          {"p999", Rounded(samples.At(0.999), 3)}};
}

double Rounded(double value, int decimals) {
  const double scale = std::pow(10, decimals);
  return std::round(value * scale) / scale;
}

}  // namespace incipit::bench
