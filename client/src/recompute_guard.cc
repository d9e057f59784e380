#include "client/src/recompute_guard.h"

#include <algorithm>
#include <cmath>

namespace incipit {
namespace {

constexpr double kWeight = 0.2;                   // of a new sample
constexpr uint64_t kMinSampleBytes = 256 * 1024;  // less is dominated by the round trip
constexpr double kHopeDoublesEveryNs = 10e9;
constexpr double kMaxNs = 9e18;

}  // namespace

void RecomputeGuard::Rate::Learn(double sample, int64_t now_ns) {
  bytes_per_ns = bytes_per_ns == 0 ? sample : bytes_per_ns + kWeight * (sample - bytes_per_ns);
  learnt_ns = now_ns;
}

double RecomputeGuard::Rate::TimeFor(uint64_t bytes, int64_t now_ns) const {
  if (bytes == 0 || bytes_per_ns == 0) return 0;
  const double hope = std::exp2(static_cast<double>(std::max<int64_t>(now_ns - learnt_ns, 0)) / kHopeDoublesEveryNs);
  return static_cast<double>(bytes) / (bytes_per_ns * hope);
}

void RecomputeGuard::OnRoundTrip(int64_t elapsed_ns) {
  const double sample = static_cast<double>(std::max<int64_t>(elapsed_ns, 0));
  round_trip_ns_ = round_trip_ns_ == 0 ? sample : round_trip_ns_ + kWeight * (sample - round_trip_ns_);
}

void RecomputeGuard::OnLoad(uint64_t ram_bytes, uint64_t nvme_bytes, int64_t elapsed_ns, int64_t now_ns) {
  if (ram_bytes + nvme_bytes < kMinSampleBytes) return;
  const double moving_ns = std::max(static_cast<double>(elapsed_ns) - round_trip_ns_, 1.0);
  const double rate = static_cast<double>(ram_bytes + nvme_bytes) / moving_ns;
  // A mixed load tells something about the tier that most of it came from.
  (nvme_bytes > ram_bytes ? nvme_ : ram_).Learn(rate, now_ns);
}

int64_t RecomputeGuard::RecomputeNs(uint64_t tokens) const {
  return static_cast<int64_t>(std::min(static_cast<double>(tokens) / prefill_tokens_per_s_ * 1e9, kMaxNs));
}

RecomputeGuard::Verdict RecomputeGuard::Judge(uint64_t tokens, uint64_t ram_bytes, uint64_t nvme_bytes,
                                              int64_t now_ns) const {
  Verdict verdict;
  if (!enabled() || tokens == 0) return verdict;
  const double load_ns = round_trip_ns_ + ram_.TimeFor(ram_bytes, now_ns) + nvme_.TimeFor(nvme_bytes, now_ns);
  verdict.load_ns = static_cast<int64_t>(std::min(load_ns, kMaxNs));
  verdict.recompute_ns = RecomputeNs(tokens);
  verdict.worth_loading = verdict.load_ns <= verdict.recompute_ns;
  return verdict;
}

}  // namespace incipit
