// The cluster map and its nodes as JSON text: files, records in Redis, and what nodes tell clients. docs/membership.md
// has the fields. Decoders take untrusted text: every limit is checked, unknown fields are ignored.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {

inline constexpr size_t kMaxClusterMapBytes = 4 << 20;
inline constexpr size_t kMaxClusterNodeBytes = 4 << 10;
inline constexpr uint64_t kClusterMapVersion = 1;

// REQUIRES: a map or node that passed its check. Never over the limits above.
std::string EncodeClusterMap(const ClusterMap& map);
std::string EncodeClusterNode(const ClusterNode& node);

// InvalidArgument: which field of which node, and what is allowed. FailedPrecondition: another version. What comes back
// has passed its check; nodes may come in any order and are sorted.
absl::StatusOr<ClusterMap> DecodeClusterMap(std::string_view text);
absl::StatusOr<ClusterNode> DecodeClusterNode(std::string_view text);

}  // namespace incipit
