// Where else the blocks of a match are than at their owners: asked of the next nodes for hot blocks, and for blocks of
// replicas that an owner lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "client/src/core/key_batches.h"
#include "client/src/restorable_lengths.h"

namespace incipit {

// Of one match. Slots number its blocks, group by group. One thread: the loop's. Blocks in several parts (over 64 MiB)
// have no hot copies. Costs nothing as long as nothing is hot and there are no replicas.
class CopySearch {
 public:
  // What the owners of the blocks in `slots` said.
  void Hot(const std::vector<uint32_t>& slots, const wire::MatchReply& reply);
  // The questions to the next nodes. Their batches have ranks over 0.
  std::vector<KeyBatchOfShard> Split(const CallContext* context, const ShardSet& shards,
                                     const std::vector<KeyList>& groups, const GroupPresence& presence);
  void Found(uint32_t slot, uint8_t rank);
  // Puts what was found into the client's CopyTable, for the loads that follow.
  void Remember(CallContext* context, const ShardSet& shards, const std::vector<KeyList>& groups,
                const GroupPresence& presence) const;

 private:
  struct Place {
    uint8_t wanted = 0;  // copies that the owner wants
    uint8_t found = 0;   // ranks, as bits
    bool known = false;  // still, from an earlier match: not asked again
    std::optional<uint8_t> turn;
  };
  Place& At(uint32_t slot);
  void SkipKnown(const CallContext* context, const ShardSet& shards, const std::vector<KeyList>& groups);

  std::vector<Place> places_;  // by slot, as far as any is not empty
};

}  // namespace incipit
