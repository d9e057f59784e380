#include "eviction/sim/tier_sim.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "cache/base/check.h"

namespace incipit {

double SimResult::TokenHitRatio() const {
  return input_tokens == 0 ? 0 : static_cast<double>(hit_tokens) / static_cast<double>(input_tokens);
}

TierSim::TierSim(std::vector<SimTier> tiers, uint64_t block_tokens)
    : tiers_(std::move(tiers)), block_tokens_(block_tokens) {
  INCIPIT_CHECK(!tiers_.empty() && tiers_.size() < kNowhere, "a simulation needs a tier");
  for (const SimTier& tier : tiers_) INCIPIT_CHECK(tier.capacity_blocks > 0, "a simulated tier needs room for a block");
  result_.hit_blocks.resize(tiers_.size());
  result_.demoted_blocks.resize(tiers_.size());
}

size_t TierSim::Replay(const TraceRequest& request) {
  std::vector<BlockId> chain;
  for (const uint64_t hash : request.block_hashes) chain.push_back(IdOf(hash));
  size_t hits = 0;
  while (hits < chain.size() && blocks_[chain[hits]].tier != kNowhere) {
    ++result_.hit_blocks[blocks_[chain[hits]].tier];
    ++hits;
  }
  ++stamp_ns_;
  for (size_t i = 0; i < chain.size(); ++i) {
    const uint64_t depth_tokens = std::min<uint64_t>(i * block_tokens_, UINT32_MAX);
    Touch(chain[i], {.stamp_ns = stamp_ns_, .depth_tokens = static_cast<uint32_t>(depth_tokens), .bytes = 1});
  }
  ++result_.requests;
  result_.input_tokens += request.input_tokens;
  result_.hit_tokens += std::min(hits * block_tokens_, request.input_tokens);  // the last block may be partly filled
  return hits;
}

bool TierSim::Holds(uint64_t block_hash) const {
  const auto found = ids_.find(block_hash);
  return found != ids_.end() && blocks_[found->second].tier != kNowhere;
}

BlockId TierSim::IdOf(uint64_t block_hash) {
  const auto [at, inserted] = ids_.try_emplace(block_hash, static_cast<BlockId>(blocks_.size()));
  if (inserted) blocks_.emplace_back();
  return at->second;
}

void TierSim::Touch(BlockId id, const Access& access) {
  Block& block = blocks_[id];
  if (block.tier == 0) {
    tiers_[0].policy->OnAccess(id, access);
    return;
  }
  if (block.tier != kNowhere) tiers_[block.tier].policy->OnRemove(id);
  block.depth_tokens = access.depth_tokens;
  Insert(0, id, access);
}

// Each tier that overflows hands its victim to the next, with the victim's own stamp.
void TierSim::Insert(size_t tier, BlockId id, Access access) {
  for (; tier < tiers_.size(); ++tier) {
    Policy& policy = *tiers_[tier].policy;
    policy.OnInsert(id, access);
    blocks_[id].tier = static_cast<uint8_t>(tier);
    if (policy.size() <= tiers_[tier].capacity_blocks) return;
    id = policy.Victim([](BlockId) { return true; }, 1);
    access = {.stamp_ns = policy.StampOf(id), .depth_tokens = blocks_[id].depth_tokens, .bytes = 1};
    policy.OnRemove(id);
    if (tier + 1 < tiers_.size()) ++result_.demoted_blocks[tier + 1];
  }
  blocks_[id].tier = kNowhere;
}

size_t CountUniqueBlocks(const Trace& trace) {
  absl::flat_hash_set<uint64_t> hashes;
  for (const TraceRequest& request : trace) hashes.insert(request.block_hashes.begin(), request.block_hashes.end());
  return hashes.size();
}

}  // namespace incipit
