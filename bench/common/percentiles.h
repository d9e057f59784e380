// Samples of one quantity and their percentiles. Keeps every sample: eight bytes each. One thread; merge afterwards.
#pragma once

#include <vector>

#include "bench/common/json.h"

namespace incipit::bench {

class Percentiles {
 public:
  void Add(double sample) {
    samples_.push_back(sample);
    sorted_ = false;
  }
  void Merge(const Percentiles& other);
  // The smallest sample that at least `share` (0..1) of all samples do not exceed; 0 without samples.
  double At(double share) const;
  double Median() const { return At(0.5); }
  double Min() const { return At(0); }
  double Max() const { return At(1); }
  size_t size() const { return samples_.size(); }

 private:
  mutable std::vector<double> samples_;
  mutable bool sorted_ = true;
};

// {"p50", "p99", "p999"}, in the samples' unit, to three decimals.
Json PercentilesJson(const Percentiles& samples);

// Rounds so that JSON shows `decimals` digits after the point and no noise of binary fractions.
double Rounded(double value, int decimals);

}  // namespace incipit::bench
