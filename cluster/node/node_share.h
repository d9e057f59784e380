// The share that a map gives one of its nodes.
#pragma once

#include "cache/tenants/cluster_share.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {

// `self`: the node as the map has it, or as it describes itself if the map lacks it. A node that owns nothing, because
// it drains or is gone, keeps the share that it would have if it did: what it gives away, or takes back, is not cut
// before.
ClusterShare ShareOfNode(const ClusterMap& map, const ClusterNode& self);

}  // namespace incipit
