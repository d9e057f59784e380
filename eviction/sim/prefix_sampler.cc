#include "eviction/sim/prefix_sampler.h"

#include <algorithm>
#include <cmath>

#include "cache/base/check.h"
#include "eviction/ghost_table.h"

namespace incipit {

PrefixSampler::PrefixSampler(PrefixTrace* trace, double rate, uint64_t seed)
    : trace_(trace),
      sampled_below_(rate >= 1 ? UINT64_MAX : static_cast<uint64_t>(std::ldexp(rate, 64))),
      salt_(MixKey(seed)) {
  INCIPIT_CHECK(rate > 0 && rate <= 1, "a sample is a share of the blocks");
}

void PrefixSampler::HashInto(std::span<const uint64_t> ids, std::vector<uint64_t>* hashes) const {
  uint64_t hash = salt_;
  for (const uint64_t id : ids) {
    hash = MixKey(hash ^ MixKey(id + 0x9e3779b97f4a7c15u));
    hashes->push_back(hash);
  }
}

bool PrefixSampler::Add(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens,
                        std::span<const uint64_t> ids) {
  const Prompt prompt{time_ms, input_tokens, output_tokens, ids.size()};
  if (!looks_ahead_) {
    hashes_.clear();
    HashInto(ids, &hashes_);
    return AddHashes(prompt, hashes_);
  }
  seen_.push_back(prompt);
  HashInto(ids, &seen_hashes_);
  return seen_hashes_.size() < kLookAhead ? true : Finish();
}

bool PrefixSampler::Finish() {
  if (!looks_ahead_) return true;
  looks_ahead_ = false;
  absl::flat_hash_map<uint64_t, uint64_t> uses;
  for (const uint64_t hash : seen_hashes_) ++uses[hash];
  for (const auto& [hash, count] : uses) {
    if (count >= kFewestHotUses && count * kHotShare >= seen_hashes_.size()) hot_.insert(hash);
  }
  size_t first = 0;
  for (const Prompt& prompt : seen_) {
    if (!AddHashes(prompt, std::span(seen_hashes_).subspan(first, prompt.blocks))) return false;
    first += prompt.blocks;
  }
  seen_ = {};
  seen_hashes_ = {};
  return true;
}

bool PrefixSampler::AddHashes(const Prompt& prompt, std::span<const uint64_t> hashes) {
  chain_.clear();
  for (size_t position = 0; position < hashes.size(); ++position) {
    const uint64_t hash = hashes[position];
    const bool hot = hot_.contains(hash);
    if (!hot && hash >= sampled_below_) continue;
    const auto [kept, is_new] = kept_.try_emplace(hash, 0);
    if (is_new) kept->second = trace_->NewSampledBlock(/*stands_for_others=*/!hot);
    chain_.push_back({kept->second, static_cast<uint32_t>(position), hot});
  }
  return trace_->AddSampled(prompt.time_ms, prompt.input_tokens, prompt.output_tokens, hashes.size(), chain_);
}

}  // namespace incipit
