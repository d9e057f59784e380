#include "cluster/placement/cluster_placement.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/mix64.h"
#include "cache/format/identity.h"
#include "cluster/placement/neg_log2.h"

namespace incipit {
namespace {

constexpr size_t kNobody = SIZE_MAX;
static_assert(kMaxNegLog2 <= UINT64_MAX / kMaxNodeWeight, "a cost times a weight fits 64 bits");

}  // namespace

absl::StatusOr<ClusterPlacement> ClusterPlacement::Make(const PlacementSeed& seed, uint64_t epoch,
                                                        std::span<const PlacementNode> nodes) {
  if (nodes.empty() || nodes.size() > kMaxPlacementNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("placement over ", nodes.size(), " nodes, allowed are 1 to ", kMaxPlacementNodes));
  }
  ClusterPlacement placement;
  placement.epoch_ = epoch;
  placement.secret_ = ExpandHashSecret(seed);
  placement.nodes_.reserve(nodes.size());
  absl::flat_hash_set<uint64_t> ids;
  for (const PlacementNode& node : nodes) {
    const auto name = absl::Hex(node.id, absl::kZeroPad16);
    if (node.weight < 1 || node.weight > kMaxNodeWeight) {
      return absl::InvalidArgumentError(
          absl::StrCat("placement: node ", name, " has weight ", node.weight, ", allowed are 1 to ", kMaxNodeWeight));
    }
    if (!ids.insert(node.id).second) {
      return absl::InvalidArgumentError(absl::StrCat("placement: node ", name, " is listed twice; ids are unique"));
    }
    placement.nodes_.push_back({node.id, Mix64(node.id), node.weight, node.zone});
  }
  return placement;
}

// The allowed node with the least cost / weight, the lower id of equal ones; kNobody if none is allowed.
template <typename Allowed>
size_t ClusterPlacement::Best(uint64_t hash, const Allowed& allowed) const {
  size_t best = kNobody;
  uint64_t best_cost = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!allowed(i)) continue;
    const uint64_t cost = NegLog2(Mix64(hash ^ nodes_[i].mixed_id));
    if (best != kNobody) {
      const uint64_t ours = cost * nodes_[best].weight;
      const uint64_t theirs = best_cost * nodes_[i].weight;
      if (ours > theirs || (ours == theirs && nodes_[i].id > nodes_[best].id)) continue;
    }
    best = i;
    best_cost = cost;
  }
  return best;
}

size_t ClusterPlacement::OwnerOf(uint64_t hash) const {
  return Best(hash, [](size_t) { return true; });
}

absl::InlinedVector<size_t, 2> ClusterPlacement::OwnersOf(uint64_t hash, size_t copies) const {
  INCIPIT_CHECK(copies <= kMaxCopies, "at most kMaxCopies copies");
  absl::InlinedVector<size_t, 2> owners;
  const auto taken = [&](size_t i) { return std::find(owners.begin(), owners.end(), i) != owners.end(); };
  const auto in_new_zone = [&](size_t i) {
    return std::none_of(owners.begin(), owners.end(), [&](size_t owner) {
      return owner == i || (nodes_[i].zone != 0 && nodes_[owner].zone == nodes_[i].zone);
    });
  };
  while (owners.size() < std::min(copies, nodes_.size())) {
    size_t next = Best(hash, in_new_zone);
    if (next == kNobody) next = Best(hash, [&](size_t i) { return !taken(i); });
    owners.push_back(next);
  }
  return owners;
}

}  // namespace incipit
