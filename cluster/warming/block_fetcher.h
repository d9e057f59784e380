// Fetches blocks from another node into this shard's store: by Load, as any client would, over a link of nodes. What it
// puts into the store has the checksums that the other node stated, hashed where it landed, and is visible only then.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cache/shard/block_store.h"
#include "cluster/warming/peer_node.h"

namespace incipit {

struct FetchOrder {
  std::shared_ptr<PeerNode> peer;
  NamespaceId name_space = 0;
  std::vector<wire::KeyRef> keys;  // views of what outlives the fetch
  uint64_t stamp_ns = 0;           // with which the blocks enter the store
  int64_t deadline_ns = 0;
};

struct FetchResult {
  uint64_t taken_blocks = 0, taken_bytes = 0;
  uint64_t damaged = 0;   // bytes that are not those of their checksums, or not of the layout's sizes
  uint64_t failures = 0;  // requests without an answer in time, or with one that made no sense
};

// One thread: the loop's. Both outlive it.
class BlockFetcher {
 public:
  BlockFetcher(const PeerEnvironment* env, BlockStore* store) : env_(env), store_(store) {}

  // All shards of the peer at once, whole blocks. Ends by the deadline or a little later. What another writer stored
  // meanwhile stays as it is.
  Task<FetchResult> Fetch(const FetchOrder* order);

 private:
  Task<void> FetchFromShard(const FetchOrder* order, uint16_t shard, std::vector<uint32_t> which, FetchResult* result);

  const PeerEnvironment* env_;
  BlockStore* store_;
};

}  // namespace incipit
