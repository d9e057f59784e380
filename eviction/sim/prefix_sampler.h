// Reads a workload of any size and keeps a sample of its blocks, so that a plan needs memory for these alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit {

// A block is sampled by the hash of its prompt up to its end: whichever request touches it, it is in the sample or not,
// so that a cache of `rate` times the size, fed with the sample, hits about as much of it as the whole cache hits of
// all. (Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015.) Prompts share openings, and a sample
// that holds such a block or lacks it would be far off: blocks that have 1/kHotShare of the first kLookAhead uses or
// more are *hot*, and kept whatever their hash. What becomes hot later is sampled as any other, and seen in the error.
//
// One thread. Memory: at most 40 MB until kLookAhead uses have been seen; then 16 to 32 bytes for each block that is
// kept, and the trace's.
class PrefixSampler {
 public:
  static constexpr uint64_t kHotShare = 4096;
  static constexpr uint64_t kFewestHotUses = 64;
  static constexpr uint64_t kLookAhead = uint64_t{1} << 19;

  // `rate`: over 0 and at most 1. The trace is one that was made for samples of that rate, and gets what is added, at
  // the latest by Finish().
  PrefixSampler(PrefixTrace* trace, double rate, uint64_t seed);

  // As PrefixTrace::Add, with all ids of the prompt.
  bool Add(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, std::span<const uint64_t> ids);
  // After the last request, before the trace's own.
  bool Finish();

 private:
  struct Prompt {
    uint64_t time_ms = 0, input_tokens = 0, output_tokens = 0;
    uint64_t blocks = 0;
  };
  void HashInto(std::span<const uint64_t> ids, std::vector<uint64_t>* hashes) const;
  bool AddHashes(const Prompt& prompt, std::span<const uint64_t> hashes);

  PrefixTrace* trace_;
  uint64_t sampled_below_;
  uint64_t salt_;
  bool looks_ahead_ = true;
  std::vector<Prompt> seen_;           // while it looks ahead
  std::vector<uint64_t> seen_hashes_;  // of all blocks of these prompts
  absl::flat_hash_set<uint64_t> hot_;  // by hash of the opening, as below
  absl::flat_hash_map<uint64_t, PrefixTrace::Block> kept_;
  std::vector<uint64_t> hashes_;
  std::vector<SampledChains::Reference> chain_;
};

}  // namespace incipit
