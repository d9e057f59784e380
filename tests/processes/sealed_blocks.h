// What the region files of a stopped node say is sealed, read with the format code alone: an opinion independent of the
// node's own recovery.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace incipit::campaign {

struct SealedBlocks {
  // Framed identities whose newest sealed record is a block, and that record's place in the order of writing.
  std::map<std::string, uint64_t> live;
  uint64_t regions = 0;
  uint64_t records = 0;
};

// Adds what the file of one shard holds. A record is live unless a sealed tombstone of the same identity is newer.
// DataLoss: no readable superblock. Reads past the page cache, as the node wrote.
absl::Status AddSealedBlocks(const std::string& path, SealedBlocks* out);

}  // namespace incipit::campaign
