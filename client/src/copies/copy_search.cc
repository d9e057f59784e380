#include "client/src/copies/copy_search.h"

#include <algorithm>
#include <array>
#include <utility>

namespace incipit {
namespace {

constexpr size_t kMaxRanks = wire::kMaxHotCopies + 1;

}  // namespace

CopySearch::Place& CopySearch::At(uint32_t slot) {
  if (slot >= places_.size()) places_.resize(slot + 1);
  return places_[slot];
}

void CopySearch::Hot(const std::vector<uint32_t>& slots, const std::vector<uint8_t>& copies) {
  for (size_t i = 0; i < copies.size(); ++i) {
    if (copies[i] > 0) At(slots[i]).wanted = copies[i];
  }
}

void CopySearch::Found(uint32_t slot, uint8_t rank) { At(slot).found |= static_cast<uint8_t>(1u << rank); }

std::vector<KeyBatchOfShard> CopySearch::Split(const CallContext* context, const ShardSet& shards,
                                               const std::vector<KeyList>& groups, const GroupPresence& presence) {
  std::vector<KeyBatchOfShard> batches;
  const size_t replicas = context->options->replicas;
  if ((places_.empty() && replicas == 1) || shards.node_count() < 2) return batches;
  const size_t ranks = std::min(shards.node_count(), kMaxRanks);
  for (size_t rank = 1; rank < ranks; ++rank) {
    KeyBatcher batcher(context, &shards, 0, static_cast<uint8_t>(rank));
    uint32_t slot = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      const GroupSpec& group = context->layout().groups[g];
      for (size_t i = 0; i < groups[g].size(); ++i, ++slot) {
        const size_t wanted = slot < places_.size() ? places_[slot].wanted : 0;
        const bool lacking = presence[g][i] == Presence::kMiss && rank < replicas;
        if ((rank > wanted && !lacking) || group.PartCount() != 1) continue;
        At(slot).asked |= static_cast<uint8_t>(1u << rank);
        batcher.Add({.group = static_cast<GroupIndex>(g),
                     .depth_tokens = static_cast<uint32_t>(i * group.block_tokens),
                     .key = groups[g][i]},
                    slot);
      }
    }
    for (KeyBatchOfShard& batch : batcher.Take()) batches.push_back(std::move(batch));
  }
  return batches;
}

void CopySearch::Remember(CallContext* context, const ShardSet& shards, const std::vector<KeyList>& groups,
                          const GroupPresence& presence) const {
  if (places_.empty()) return;
  const int64_t now_ns = context->loop->NowNs();
  uint32_t slot = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t i = 0; i < groups[g].size() && slot < places_.size(); ++i, ++slot) {
      const Place& place = places_[slot];
      if (place.wanted == 0 && place.found == 0) continue;
      // Only what is wanted is hot, and only hot blocks were found at their owners as well.
      const bool at_owner = place.wanted > 0 && presence[g][i] != Presence::kMiss;
      const auto found = static_cast<uint8_t>(place.found | (at_owner ? KnownCopies::kOwner : 0));
      context->copies->Note(shards.HashOf(context->framed_namespace, static_cast<GroupIndex>(g), groups[g][i]), found,
                            place.wanted, now_ns);
    }
  }
}

}  // namespace incipit
