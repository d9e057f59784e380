#include "eviction/sim/prefix_trace.h"

#include <algorithm>
#include <bit>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr size_t kFirstSlots = 1024;
constexpr size_t kPrefetchAhead = 12;  // blocks

uint64_t HashOf(PrefixTrace::Block parent, uint64_t id) {
  return MixKey(id ^ (uint64_t{parent} + 1) * 0x9e3779b97f4a7c15u);
}

}  // namespace

bool PrefixTrace::Add(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, std::span<const uint64_t> ids) {
  if (ids.size() > kMaxBlocks - parents_.size()) return false;
  Request request{.time_ms = time_ms,
                  .input_tokens = input_tokens,
                  .output_tokens = static_cast<uint32_t>(std::min<uint64_t>(output_tokens, UINT32_MAX)),
                  .blocks = static_cast<uint32_t>(ids.size())};
  size_t known = 0;
  for (; known < ids.size(); ++known) {
    const Block next = Find(request.last, ids[known]);
    if (next == kNone) break;
    request.last = next;
  }
  if (known < ids.size()) {
    AppendNew(request.last, ids.subspan(known));
    request.last = static_cast<Block>(parents_.size() - 1);
  }
  requests_.push_back(request);
  Count(time_ms, input_tokens, ids.size(), request.blocks);
  return true;
}

bool PrefixTrace::AddSampled(uint64_t time_ms, uint64_t input_tokens, uint64_t output_tokens, uint64_t all_blocks,
                             std::span<const SampledChains::Reference> chain) {
  if (parents_.size() > kMaxBlocks) return false;
  requests_.push_back({.time_ms = time_ms,
                       .input_tokens = input_tokens,
                       .output_tokens = static_cast<uint32_t>(std::min<uint64_t>(output_tokens, UINT32_MAX)),
                       .last = static_cast<Block>(sample_->Add(chain)),
                       .blocks = static_cast<uint32_t>(chain.size())});
  covered_tokens_.push_back(std::min(input_tokens, all_blocks * block_tokens_));
  Count(time_ms, input_tokens, all_blocks, static_cast<uint32_t>(chain.size()));
  return true;
}

void PrefixTrace::Count(uint64_t time_ms, uint64_t input_tokens, uint64_t blocks, uint32_t chain_blocks) {
  block_references_ += blocks;
  input_tokens_ += input_tokens;
  longest_chain_ = std::max(longest_chain_, chain_blocks);
  if (blocks == 0) ++empty_requests_;
  if (time_ms < newest_time_ms_) ++out_of_order_;
  newest_time_ms_ = std::max(newest_time_ms_, time_ms);
}

uint64_t PrefixTrace::all_unique_blocks() const {
  if (!sample_.has_value()) return unique_blocks();
  return exact_blocks_ +
         static_cast<uint64_t>(static_cast<double>(unique_blocks() - exact_blocks_) / sample_->rate() + 0.5);
}

// Exact blocks are held by any cache that is not tiny: what is left of it holds the others.
uint64_t PrefixTrace::InSample(uint64_t blocks) const {
  if (!sample_.has_value()) return blocks;
  const uint64_t exact = std::min(exact_blocks_, blocks / 2);
  const double others = static_cast<double>(blocks - exact) * sample_->rate();
  return std::max<uint64_t>(1, exact + static_cast<uint64_t>(others + 0.5));
}

PrefixTrace::Block PrefixTrace::Find(Block parent, uint64_t id) const {
  // Most often the block that came right behind the parent when both were new.
  if (const size_t next = parent == kNone ? 0 : size_t{parent} + 1;
      next < parents_.size() && ids_[next] == id && parents_[next] == parent) {
    return static_cast<Block>(next);
  }
  if (slots_.empty()) return kNone;
  const size_t mask = slots_.size() - 1;
  for (size_t slot = HashOf(parent, id) & mask; slots_[slot] != kNone; slot = (slot + 1) & mask) {
    const Block block = slots_[slot];
    if (ids_[block] == id && parents_[block] == parent) return block;
  }
  return kNone;
}

// What follows a new block is new, so its place in the table can be fetched before its turn comes.
void PrefixTrace::AppendNew(Block parent, std::span<const uint64_t> ids) {
  const size_t needed = 2 * (parents_.size() + ids.size());
  if (needed > slots_.size()) Rehash(std::bit_ceil(std::max(kFirstSlots, 2 * needed)));
  const size_t mask = slots_.size() - 1;
  const auto first = static_cast<Block>(parents_.size());
  const auto hash_of = [&](size_t i) {
    return HashOf(i == 0 ? parent : static_cast<Block>(first + i - 1), ids[i]) & mask;
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + kPrefetchAhead < ids.size()) __builtin_prefetch(&slots_[hash_of(i + kPrefetchAhead)], 1);
    size_t slot = hash_of(i);
    while (slots_[slot] != kNone) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<Block>(first + i);
    parents_.push_back(i == 0 ? parent : static_cast<Block>(first + i - 1));
    ids_.push_back(ids[i]);
  }
}

void PrefixTrace::Reserve(uint64_t blocks) {
  blocks = std::min(blocks, kMaxBlocks);
  if (2 * blocks > slots_.size()) Rehash(std::bit_ceil(std::max<size_t>(kFirstSlots, 2 * blocks)));
}

void PrefixTrace::Rehash(size_t slots) {
  slots_.assign(slots, kNone);
  const size_t mask = slots_.size() - 1;
  const auto count = static_cast<Block>(parents_.size());
  for (Block block = 0; block < count; ++block) {
    if (block + kPrefetchAhead < count) {
      __builtin_prefetch(&slots_[HashOf(parents_[block + kPrefetchAhead], ids_[block + kPrefetchAhead]) & mask], 1);
    }
    size_t slot = HashOf(parents_[block], ids_[block]) & mask;
    while (slots_[slot] != kNone) slot = (slot + 1) & mask;
    slots_[slot] = block;
  }
}

void PrefixTrace::Finish() {
  slots_ = {};
  ids_ = {};
  parents_.shrink_to_fit();
  requests_.shrink_to_fit();
  if (out_of_order_ == 0) return;
  std::stable_sort(requests_.begin(), requests_.end(),
                   [](const Request& a, const Request& b) { return a.time_ms < b.time_ms; });
}

void PrefixTrace::ChainOf(const Request& request, std::vector<Block>* chain) const {
  chain->resize(request.blocks);
  if (sample_.has_value()) {
    const auto references = sample_->Of(request.last, request.blocks);
    for (size_t i = 0; i < references.size(); ++i) (*chain)[i] = references[i].block;
    return;
  }
  Block block = request.last;
  for (size_t i = request.blocks; i-- > 0; block = parents_[block]) (*chain)[i] = block;
}

}  // namespace incipit
