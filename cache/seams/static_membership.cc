#include "cache/seams/static_membership.h"

namespace incipit {

StaticMembership::StaticMembership(const std::vector<std::string>& nodes, uint16_t shards_per_node) {
  map_.epoch = kEpoch;
  for (const std::string& node : nodes) {
    for (uint16_t shard = 0; shard < shards_per_node; ++shard) map_.shards.push_back({node, shard});
  }
}

}  // namespace incipit
