#include "eviction/sim/hit_totals.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace incipit {
namespace {

double SumOf(const std::array<double, SampledChains::kGroups>& groups) {
  return std::accumulate(groups.begin(), groups.end(), 0.0);
}

}  // namespace

void HitTotals::AddSampled(const PrefixTrace& trace, const PrefixTrace::Request& request, uint32_t leading_blocks,
                           const CostModel& cost) {
  sampling_rate = trace.sample()->rate();
  const uint64_t covered = trace.CoveredTokens(request);
  double other_tokens = static_cast<double>(covered), other_flops = cost.Flops(0, covered);
  uint32_t index = 0;
  for (const SampledChains::Reference& reference : trace.sample()->Of(request.last, request.blocks)) {
    const uint64_t begin = std::min<uint64_t>(covered, uint64_t{reference.position} * trace.block_tokens());
    const uint64_t end = std::min<uint64_t>(covered, begin + trace.block_tokens());
    const auto tokens = static_cast<double>(end - begin);
    const double flops = cost.Flops(begin, end);
    const bool hit = index++ < leading_blocks;
    if (reference.exact) {
      other_tokens -= tokens;
      other_flops -= flops;
      sampled_tokens.exact_hit += hit ? tokens : 0;
      sampled_flops.exact_hit += hit ? flops : 0;
      continue;
    }
    const size_t group = SampledChains::GroupOf(reference.block);
    sampled_tokens.all[group] += tokens;
    sampled_flops.all[group] += flops;
    if (!hit) continue;
    sampled_tokens.hit[group] += tokens;
    sampled_flops.hit[group] += flops;
  }
  sampled_tokens.others += std::max(0.0, other_tokens);
  sampled_flops.others += std::max(0.0, other_flops);
}

double HitTotals::Ratio(double counted, const Sampled& sampled, double all) const {
  if (all == 0) return 0;
  const double of_sample = SumOf(sampled.all);
  const double others = of_sample == 0 ? 0 : sampled.others * SumOf(sampled.hit) / of_sample;
  return (counted + sampled.exact_hit + others) / all;
}

// Of a ratio estimator: the variance between groups of what they hit beyond their part.
double HitTotals::TokenHitError() const {
  const double all = SumOf(sampled_tokens.all);
  if (all == 0 || input_tokens == 0) return 0;
  const double ratio = SumOf(sampled_tokens.hit) / all;
  double squares = 0;
  for (size_t i = 0; i < SampledChains::kGroups; ++i) {
    const double beyond = sampled_tokens.hit[i] - ratio * sampled_tokens.all[i];
    squares += beyond * beyond;
  }
  constexpr double kCorrection = static_cast<double>(SampledChains::kGroups) / (SampledChains::kGroups - 1);
  const double of_sample = std::sqrt(squares * kCorrection * (1 - sampling_rate));
  return 2 * of_sample / all * sampled_tokens.others / static_cast<double>(input_tokens);
}

}  // namespace incipit
