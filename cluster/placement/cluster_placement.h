// Which nodes of a cluster hold a block: weighted rendezvous hashing, specified in docs/placement.md with golden
// vectors. Pure: no I/O, no clock. Which shard of the node it is, is wire::Placement's business.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/base/xxh3.h"

namespace incipit {

inline constexpr size_t kMaxPlacementNodes = 1024;
inline constexpr uint32_t kMaxNodeWeight = 65'535;
inline constexpr size_t kMaxCopies = 8;

using PlacementSeed = std::array<uint8_t, 16>;

struct PlacementNode {
  uint64_t id = 0;
  uint32_t weight = 1;  // 1 to kMaxNodeWeight: its share is weight / sum of weights
  uint32_t zone = 0;    // equal = fails together. 0 = in no zone with any other
};

// Immutable after construction: any thread may use it. 24 bytes a node.
class ClusterPlacement {
 public:
  // InvalidArgument: no nodes, over kMaxPlacementNodes, a weight out of range, an id twice. The order of the nodes does
  // not matter to where a block goes. `epoch` is that of the map they come from; it is only carried.
  static absl::StatusOr<ClusterPlacement> Make(const PlacementSeed& seed, uint64_t epoch,
                                               std::span<const PlacementNode> nodes);

  uint64_t epoch() const { return epoch_; }
  size_t node_count() const { return nodes_.size(); }

  // What the owners follow from. `framed_identity` is that of the block's part 0. Callers that ask several placements
  // of one cluster about a block hash it once.
  uint64_t HashOf(ByteView framed_identity) const { return Xxh3Of128(framed_identity, secret_).high; }

  // Index, in the order of Make, of the node that owns the block. Five multiplications a node; no allocation.
  size_t OwnerOf(uint64_t hash) const;
  size_t OwnerOf(ByteView framed_identity) const { return OwnerOf(HashOf(framed_identity)); }

  // Owners of up to `copies` copies, best first, in different zones as long as there are any; fewer if there are fewer
  // nodes. The first is OwnerOf. Costs `copies` times as much. REQUIRES: copies <= kMaxCopies (checked; aborts).
  absl::InlinedVector<size_t, 2> OwnersOf(uint64_t hash, size_t copies) const;

 private:
  struct Candidate {
    uint64_t id = 0;
    uint64_t mixed_id = 0;
    uint32_t weight = 1;
    uint32_t zone = 0;
  };

  ClusterPlacement() = default;
  template <typename Allowed>
  size_t Best(uint64_t hash, const Allowed& allowed) const;

  uint64_t epoch_ = 0;
  HashSecret secret_{};
  std::vector<Candidate> nodes_;
};

}  // namespace incipit
