// What a shard must remember while its NVMe tier is being scanned, and may forget afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/base/types.h"
#include "cache/shard/block_store.h"

namespace incipit {

struct BlockStore::Recovery {
  absl::flat_hash_map<BlockId, uint64_t> sequence_of;     // of each block adopted so far
  absl::flat_hash_map<std::string, uint64_t> tombstones;  // framed identity -> highest sequence of its tombstones
  absl::flat_hash_set<std::string> removed;               // framed identities removed by clients meanwhile
};

}  // namespace incipit
