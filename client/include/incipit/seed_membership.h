// Membership from the nodes of a cluster themselves: given one or a few of them, it learns where all are and follows
// each change. docs/membership.md, "Clients".
//
//   auto seeds = SeedMembership::Start({.seeds = {"tcp://10.0.0.5:9400", "tcp://10.0.0.6:9400"}});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/membership/cluster_membership.h"

namespace incipit {

struct SeedOptions {
  std::vector<std::string> seeds;  // 1 to 64 addresses; those of all nodes are learned from the first that answers
  std::string lane = "tcp";        // on which other nodes are asked later
  std::string tenant = "default";
  std::string secret;  // of the tenant, where the nodes have tenants; 16 to 64 bytes, or empty
  std::string client_name;
  uint32_t timeout_ms = 2000;  // of connecting to a node, and of its answers
};

struct SeedStatus {
  uint64_t questions = 0, maps = 0, failures = 0;
  absl::Status last_error;  // of the node that failed last; ok before any did
};

// One thread of its own, which does all the asking; any thread may call any method. Never talks to Redis. When no node
// answers any more the last map stays.
class SeedMembership : public ClusterMembership {
 public:
  // InvalidArgument: an option, or an address that can be none. Does not wait for any node.
  static absl::StatusOr<std::unique_ptr<SeedMembership>> Start(SeedOptions options);
  ~SeedMembership() override;  // waits for an attempt to connect to end, `timeout_ms` at most

  std::shared_ptr<const ClusterMap> Map() const override;
  SeedStatus status() const;
  // Unavailable: none within `timeout_ms`; says what the last node that was asked answered.
  absl::StatusOr<std::shared_ptr<const ClusterMap>> WaitForMap(uint32_t timeout_ms) const;
  // The same, but gives up as soon as any node has answered that it has none, or failed.
  absl::StatusOr<std::shared_ptr<const ClusterMap>> WaitForAnswer(uint32_t timeout_ms) const;

 private:
  class Impl;
  explicit SeedMembership(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit
