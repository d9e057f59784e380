// How much of a trace's prompts was found in the cache.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bench/replay/trace.h"

namespace incipit::bench {

// A request's hit is the leading run of its blocks that were found and arrived intact. It counts as
// min(run * block_tokens, input_length) tokens, because the last block of a prompt may be partly filled; the ratio is
// over the input tokens of all requests. One thread; merge afterwards.
struct HitAccount {
  uint64_t requests = 0;
  uint64_t blocks = 0;
  uint64_t hit_blocks = 0;
  uint64_t input_tokens = 0;
  uint64_t hit_tokens = 0;

  void Add(const TraceRequest& request, uint64_t leading_hits, uint32_t block_tokens) {
    ++requests;
    blocks += request.ids.size();
    hit_blocks += leading_hits;
    input_tokens += request.input_tokens;
    hit_tokens += std::min(leading_hits * block_tokens, request.input_tokens);
  }
  void Merge(const HitAccount& other) {
    requests += other.requests;
    blocks += other.blocks;
    hit_blocks += other.hit_blocks;
    input_tokens += other.input_tokens;
    hit_tokens += other.hit_tokens;
  }
  double TokenHitRatio() const { return Share(hit_tokens, input_tokens); }
  double BlockHitRatio() const { return Share(hit_blocks, blocks); }

 private:
  static double Share(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
};

}  // namespace incipit::bench
