#include "eviction/sim/prefix_trace.h"

#include <algorithm>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr size_t kFirstSlots = 1024;

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
  for (const uint64_t id : ids) request.last = Child(request.last, id);
  requests_.push_back(request);
  block_references_ += ids.size();
  input_tokens_ += input_tokens;
  longest_chain_ = std::max(longest_chain_, request.blocks);
  if (ids.empty()) ++empty_requests_;
  if (time_ms < newest_time_ms_) ++out_of_order_;
  newest_time_ms_ = std::max(newest_time_ms_, time_ms);
  return true;
}

PrefixTrace::Block PrefixTrace::Child(Block parent, uint64_t id) {
  if (2 * (parents_.size() + 1) > slots_.size()) Grow();
  const size_t mask = slots_.size() - 1;
  size_t slot = HashOf(parent, id) & mask;
  for (; slots_[slot] != kNone; slot = (slot + 1) & mask) {
    const Block block = slots_[slot];
    if (ids_[block] == id && parents_[block] == parent) return block;
  }
  slots_[slot] = static_cast<Block>(parents_.size());
  parents_.push_back(parent);
  ids_.push_back(id);
  return slots_[slot];
}

void PrefixTrace::Grow() {
  slots_.assign(std::max(kFirstSlots, 2 * slots_.size()), kNone);
  const size_t mask = slots_.size() - 1;
  for (Block block = 0; block < parents_.size(); ++block) {
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
  Block block = request.last;
  for (size_t i = request.blocks; i-- > 0; block = parents_[block]) (*chain)[i] = block;
}

}  // namespace incipit
