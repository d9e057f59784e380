#include "bench/plan/sizing/burst_meter.h"

#include <algorithm>

namespace incipit::bench {
namespace {

constexpr uint64_t kMsPerSecond = 1000;
constexpr double kBurstShare = 0.99;

}  // namespace

void BurstMeter::Add(uint64_t time_ms, double bytes) {
  if (seconds_.empty()) first_ms_ = time_ms;
  const uint64_t second = (time_ms - first_ms_) / kMsPerSecond;
  if (seconds_.empty() || second != second_) seconds_.push_back(0);
  second_ = second;
  last_ms_ = time_ms;
  seconds_.back() += bytes;
  total_ += bytes;
}

Rates BurstMeter::Measure() const {
  if (seconds_.empty() || last_ms_ == first_ms_) return {};
  Rates rates;
  rates.mean_bytes_per_s = total_ / (static_cast<double>(last_ms_ - first_ms_) / kMsPerSecond);
  rates.peak_bytes_per_s = *std::max_element(seconds_.begin(), seconds_.end());
  // The quantile of all seconds is one of those that are not empty, or 0 where too many are.
  const uint64_t all = second_ + 1, empty = all - seconds_.size();
  const uint64_t above = static_cast<uint64_t>((1 - kBurstShare) * static_cast<double>(all));
  if (all - above > empty) {
    std::vector<double> seconds = seconds_;
    const auto at = seconds.begin() + static_cast<ptrdiff_t>(all - above - empty - 1);
    std::nth_element(seconds.begin(), at, seconds.end());
    rates.p99_bytes_per_s = *at;
  }
  return rates;
}

}  // namespace incipit::bench
