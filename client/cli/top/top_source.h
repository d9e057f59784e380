// Where `incipit top` learns which nodes to look at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/common_options.h"
#include "cluster/membership/cluster_membership.h"

namespace incipit {

struct TopSourceOptions {
  ConnectOptions connect;          // address or cluster, tenant and secret, timeout_ms
  std::vector<std::string> nodes;  // not empty: these, and no map
  std::string membership;          // not empty: a file, or an address of Redis
  std::string membership_password_file, membership_sentinel_password_file;
};

// The first that is given of nodes, membership and cluster; else the node at the address, with the cluster that it is
// in, if it is in one. Takes connect.timeout_ms at most. Unavailable and others: there is no map; names the flag.
absl::StatusOr<std::unique_ptr<ClusterMembership>> OpenTopSource(const TopSourceOptions& options);

}  // namespace incipit
