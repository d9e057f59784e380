// What a shard may ask of other nodes about blocks that it misses. The shard knows neither the cluster's map nor
// sessions of its own to others: cluster/warming/ has both. docs/membership.md, "Warming".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "cache/runtime/sync.h"
#include "cache/shard/entry.h"
#include "transport/stream.h"
#include "transport/wire/messages.h"

namespace incipit {

// Of blocks asked for at other nodes, and of blocks given to them.
struct PeerCounters {
  uint64_t asked_keys = 0, found_keys = 0;       // by Match
  uint64_t wanted_blocks = 0, taken_blocks = 0;  // by Load
  uint64_t taken_bytes = 0;
  uint64_t failures = 0;    // questions without an answer in time, or with one that made no sense
  uint64_t held_back = 0;   // blocks not asked for: the other node failed lately
  uint64_t over_limit = 0;  // blocks not asked for: too much is under way
  uint64_t damaged = 0;     // blocks whose bytes were not those that their checksums are of
  uint64_t given_blocks = 0, given_bytes = 0;
  // Connections that were not made over the best lane that both nodes have, or broke there: another one may be taken.
  uint64_t lane_failures = 0;
  struct LaneBytes {
    uint64_t received = 0, sent = 0;
  };
  std::array<LaneBytes, kLaneKinds> lanes{};  // of connections to other nodes, frames included

  LaneBytes& lane(LaneKind kind) { return lanes[static_cast<size_t>(kind)]; }
  const LaneBytes& lane(LaneKind kind) const { return lanes[static_cast<size_t>(kind)]; }
};

struct PeerQuestion {
  NamespaceId name_space = 0;
  std::span<const wire::KeyRef> keys;  // views of what outlives the question
  uint32_t lease_ms = 0;
  uint64_t stamp_ns = 0;  // of the request, for what is taken over
  int64_t deadline_ns = 0;
};

// One thread: the shard's.
class ShardPeers {
 public:
  virtual ~ShardPeers() = default;

  // Whether another node may have the block, and is to be asked. Costs a hash of the identity and a few placements
  // while nodes come or go, a comparison otherwise.
  virtual bool MayHave(NamespaceId name_space, const wire::KeyRef& key) = 0;
  // (*found)[i] says where the other node holds key i; kMiss if it does not, or was not asked. Ends by the deadline or
  // a little later. `found` has the size of the keys.
  virtual Task<void> Match(const PeerQuestion* question, std::vector<wire::Presence>* found) = 0;
  // Puts those of the blocks into the store that can be had by the deadline. Each was verified on the way.
  virtual Task<void> TakeOver(const PeerQuestion* question) = 0;
  // Ends what is under way soon, and asks nobody any more.
  virtual Task<void> Stop() = 0;
  virtual const PeerCounters& counters() const = 0;
};

}  // namespace incipit
