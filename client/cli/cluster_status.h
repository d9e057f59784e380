// The nodes of a cluster and what each reports, for `status --cluster` and `top`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/common_options.h"
#include "client/cli/json_output.h"
#include "incipit/client.h"
#include "incipit/seed_membership.h"

namespace incipit {

struct NodeReport {
  ClusterNode node;
  std::string address;  // that was asked; empty: it has none on the lane, or is gone
  absl::Status status;  // why there is nothing from it; ok otherwise
  std::string name;     // as it calls itself
  std::vector<ShardStats> shards;
};

struct ClusterReport {
  std::shared_ptr<const ClusterMap> map;
  std::vector<NodeReport> nodes;  // in the map's order
};

// Follows a cluster and asks all its nodes. Owner: one thread; it has a thread more for the map and one for each node.
class ClusterObserver {
 public:
  // Unavailable: no seed gave the map within options.timeout_ms.
  static absl::StatusOr<std::unique_ptr<ClusterObserver>> Connect(const ConnectOptions& options);

  // Asks all live nodes at once; takes options.timeout_ms at most, or a little longer.
  ClusterReport Look();

 private:
  explicit ClusterObserver(const ConnectOptions& options) : options_(options) {}
  absl::StatusOr<Client*> ClientAt(const std::string& address);

  const ConnectOptions options_;
  std::unique_ptr<SeedMembership> membership_;
  std::map<std::string, std::unique_ptr<Client>> clients_;
};

Json ClusterStatusJson(const ClusterReport& report);
std::string ClusterStatusText(const ClusterReport& report);

// What the map of its cluster says of one node, known by its id or by the address it was asked at.
Json NodeInMapJson(const ClusterMap& map, uint64_t node_id, const std::string& address);
std::string NodeInMapText(const ClusterMap& map, uint64_t node_id, const std::string& address);

// The cluster that one node is in, from that node: null if it is in none, or does not say in time.
std::shared_ptr<const ClusterMap> MapOfNode(const ConnectOptions& options);

}  // namespace incipit
