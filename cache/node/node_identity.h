// What must stay the same across restarts for stored blocks to be found again: the node's id and placement seed; and
// what must not, so that others can tell a start from the one before.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cache/seams/random.h"

namespace incipit {

struct NodeIdentity {
  uint64_t node_id = 0;
  std::array<uint8_t, 16> placement_seed{};
  uint16_t shards = 0;  // the number the stored blocks were placed for
  // Of this start, above that of every earlier one. Not below the time (Unix, in ms) either, so that a directory that
  // was brought back from a backup does not look older than the process that it replaces.
  uint64_t incarnation = 0;

  // Reads `directory`/node.json, or makes it anew, and notes the start there (written whole, then renamed into place).
  // An empty directory name gives an identity for this process only, with a random incarnation. FailedPrecondition:
  // made for another number of shards. Unavailable: it cannot be written.
  static absl::StatusOr<NodeIdentity> LoadOrCreate(const std::string& directory, uint16_t shards, Random* random,
                                                   uint64_t now_ms = 0);
};

}  // namespace incipit
