#include "transport/wire/placement.h"

#include "cache/base/mix64.h"
#include "cache/format/identity.h"

namespace incipit::wire {

Placement::Placement(std::array<uint8_t, 16> seed, uint64_t node_id, uint16_t shard_count)
    : secret_(ExpandHashSecret(seed)) {
  mixed_tags_.reserve(shard_count);
  for (uint16_t shard = 0; shard < shard_count; ++shard) mixed_tags_.push_back(Mix64(Mix64(node_id) + shard));
}

uint16_t Placement::ShardOf(ByteView framed_identity) const {
  if (mixed_tags_.size() <= 1) return 0;
  const uint64_t low = IdentityHash(framed_identity, secret_).low;
  uint16_t best = 0;
  uint64_t best_score = Mix64(low ^ mixed_tags_[0]);
  for (size_t shard = 1; shard < mixed_tags_.size(); ++shard) {
    const uint64_t score = Mix64(low ^ mixed_tags_[shard]);
    if (score <= best_score) continue;
    best_score = score;
    best = static_cast<uint16_t>(shard);
  }
  return best;
}

}  // namespace incipit::wire
