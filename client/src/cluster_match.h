// Match over many nodes: each is asked for the blocks that it owns, all at once, and the answers are put together.
#pragma once

#include "client/src/cluster_view.h"

namespace incipit {

// See ClusterClient::Match. REQUIRES: request.stamp_ns is set.
absl::StatusOr<MatchResult> RunClusterMatch(const ClusterView& view, const Layout& layout, const MatchRequest& request);

}  // namespace incipit
