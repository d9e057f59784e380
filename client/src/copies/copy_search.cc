#include "client/src/copies/copy_search.h"

#include <algorithm>
#include <array>
#include <utility>

namespace incipit {
namespace {

constexpr size_t kMaxRanks = wire::kMaxHotCopies + 1;
// How long what is known of a block counts while copies are still being made. Each question waits behind what its node
// has to send, and the slowest answer counts.
constexpr int64_t kAskAgainNs = 500'000'000;

}  // namespace

CopySearch::Place& CopySearch::At(uint32_t slot) {
  if (slot >= places_.size()) places_.resize(slot + 1);
  return places_[slot];
}

void CopySearch::Hot(const std::vector<uint32_t>& slots, const wire::MatchReply& reply) {
  for (size_t i = 0; i < reply.copies.size(); ++i) {
    if (reply.copies[i] == 0) continue;
    Place& place = At(slots[i]);
    place.wanted = reply.copies[i];
    if (!reply.turns.empty()) place.turn = reply.turns[i];
  }
}

void CopySearch::Found(uint32_t slot, uint8_t rank) { At(slot).found |= static_cast<uint8_t>(1u << rank); }

// All copies that are wanted are known to be there, or it was asked a moment ago.
void CopySearch::SkipKnown(const CallContext* context, const ShardSet& shards, const std::vector<KeyList>& groups) {
  const int64_t now_ns = context->loop->NowNs();
  uint32_t slot = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (size_t i = 0; i < groups[g].size() && slot < places_.size(); ++i, ++slot) {
      Place& place = places_[slot];
      if (place.wanted == 0) continue;
      const uint64_t block = shards.HashOf(context->framed_namespace, static_cast<GroupIndex>(g), groups[g][i]);
      KnownCopies* known = context->copies->Find(block, now_ns);
      if (known == nullptr || known->wanted == 0) continue;
      const size_t wanted = std::min<size_t>(place.wanted, shards.node_count() - 1);
      bool all = true;
      for (size_t rank = 1; rank <= wanted; ++rank) all = all && known->at(rank);
      place.known = all || now_ns - known->known_ns < kAskAgainNs;
      if (!place.known) continue;
      known->wanted = place.wanted;
      known->turn = place.turn;
    }
  }
}

std::vector<KeyBatchOfShard> CopySearch::Split(const CallContext* context, const ShardSet& shards,
                                               const std::vector<KeyList>& groups, const GroupPresence& presence) {
  std::vector<KeyBatchOfShard> batches;
  const size_t replicas = context->options->replicas;
  if ((places_.empty() && replicas == 1) || shards.node_count() < 2) return batches;
  const size_t ranks = std::min(shards.node_count(), kMaxRanks);
  SkipKnown(context, shards, groups);
  for (size_t rank = 1; rank < ranks; ++rank) {
    KeyBatcher batcher(context, &shards, 0, static_cast<uint8_t>(rank));
    uint32_t slot = 0;
    for (size_t g = 0; g < groups.size(); ++g) {
      const GroupSpec& group = context->layout().groups[g];
      for (size_t i = 0; i < groups[g].size(); ++i, ++slot) {
        const bool ask = slot < places_.size() && !places_[slot].known;
        const size_t wanted = ask ? places_[slot].wanted : 0;
        const bool lacking = presence[g][i] == Presence::kMiss && rank < replicas;
        if ((rank > wanted && !lacking) || group.PartCount() != 1) continue;
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
      if ((place.wanted == 0 && place.found == 0) || place.known) continue;
      // Only what is wanted is hot, and only hot blocks were found at their owners as well.
      const bool at_owner = place.wanted > 0 && presence[g][i] != Presence::kMiss;
      const auto found = static_cast<uint8_t>(place.found | (at_owner ? KnownCopies::kOwner : 0));
      context->copies->Note(shards.HashOf(context->framed_namespace, static_cast<GroupIndex>(g), groups[g][i]), found,
                            place.wanted, now_ns, place.turn);
    }
  }
}

}  // namespace incipit
