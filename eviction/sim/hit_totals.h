// What a simulated cache was worth: tokens and FLOPs of leading runs of hits, against those of all prompts.
#pragma once

#include <array>
#include <cstdint>

#include "eviction/cost_model.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit {

// Plain data. One thread. Of a sampled trace the ratios are estimates: what is hit of the exact blocks, and of the
// others as much as of those that were sampled.
struct HitTotals {
  uint64_t requests = 0;
  uint64_t hit_blocks = 0;       // of the blocks that are in the trace
  uint64_t inserted_blocks = 0;  // 0 where the simulation does not count them
  uint64_t hit_tokens = 0, input_tokens = 0;
  double hit_flops = 0, input_flops = 0;

  void Add(const PrefixTrace& trace, const PrefixTrace::Request& request, uint32_t leading_blocks,
           const CostModel& cost) {
    ++requests;
    hit_blocks += leading_blocks;
    input_tokens += request.input_tokens;
    input_flops += cost.Flops(0, request.input_tokens);
    if (trace.sample() != nullptr) return AddSampled(trace, request, leading_blocks, cost);
    const uint64_t tokens = trace.TokensOf(request, leading_blocks);
    hit_tokens += tokens;
    hit_flops += cost.Flops(0, tokens);
  }
  double TokenHitRatio() const { return Ratio(static_cast<double>(hit_tokens), sampled_tokens, input_tokens); }
  double FlopsSavedRatio() const { return Ratio(hit_flops, sampled_flops, input_flops); }
  // Twice the standard error of TokenHitRatio by the sampling of blocks; 0 where nothing was sampled. It does not know
  // of what policies learn from a sample, which is less than from all.
  double TokenHitError() const;

  // What the sampled blocks, which stand for all that are not exact, were hit of what they could be.
  struct Sampled {
    double exact_hit = 0;  // of exact blocks
    double others = 0;     // of all blocks that are not exact, sampled or not: what could be hit
    std::array<double, SampledChains::kGroups> hit{}, all{};  // of sampled blocks
  };
  Sampled sampled_tokens, sampled_flops;
  double sampling_rate = 1;

 private:
  void AddSampled(const PrefixTrace& trace, const PrefixTrace::Request& request, uint32_t leading_blocks,
                  const CostModel& cost);
  double Ratio(double counted, const Sampled& sampled, double all) const;
};

}  // namespace incipit
