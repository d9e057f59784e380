// What must stay the same across restarts for stored blocks to be found again: the node's id and placement seed.
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

  // Reads `directory`/node.json, or makes it anew (written whole, then renamed into place). An empty directory name
  // gives an identity for this process only. FailedPrecondition: made for another number of shards.
  static absl::StatusOr<NodeIdentity> LoadOrCreate(const std::string& directory, uint16_t shards, Random* random);
};

}  // namespace incipit
