// A node's part in its cluster: registers it, keeps its lease, gives the map to its shards, from where clients have it.
// docs/membership.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/node/cluster_gauges.h"
#include "cache/node/node.h"
#include "cluster/membership/cluster_membership.h"
#include "cluster/node/node_drain.h"
#include "cluster/node/node_peers.h"
#include "cluster/redis/redis_membership.h"

namespace incipit {

struct ClusterAgentOptions {
  std::string source;                  // a file ("FILE" or "static:FILE"), or an address of Redis (RedisAddress)
  std::string password_file;           // of Redis; empty = none
  std::string sentinel_password_file;  // of its sentinels; empty = none
  std::string zone;                    // what fails together with this node
  uint32_t weight = 0;                 // 1 to kMaxNodeWeight; 0 = the node's capacity in GiB
  std::vector<std::string> advertise;  // "LANE=ADDRESS", as "tcp=10.0.0.5:9400": where clients reach the node
  uint32_t lease_ms = 10'000;
  uint32_t warm_s = 600;                // for how long previous owners are asked after a change; 0 = never
  std::string peer_tenant = "default";  // as which this node asks the others
  std::string peer_secret_file;         // empty: without credentials
  // Over which lane this node asks the others: "tcp", "ucx", or "auto": ucx where both have it and it works, else tcp.
  std::string peer_lane = "auto";
  // Another process is this node. Once, on the membership's thread.
  std::function<void(const absl::Status&)> on_fenced;
  // The node was drained, has left, and its process is to end. Once, on a thread of its own.
  std::function<void()> on_drained;
};

// Any thread may call any method but Leave and the destructor, which belong to the thread that made it. Nothing of the
// node waits for it.
class ClusterAgent {
 public:
  // Of options alone, so that a node need not start in vain. InvalidArgument names the flag.
  static absl::Status Check(const ClusterAgentOptions& options);
  // `node` must serve already, and outlive this. Does not wait for Redis. InvalidArgument; NotFound: a file cannot be
  // read; FailedPrecondition: the node listens on all addresses, so where clients reach it must be said; or it is to
  // ask over a lane that it does not have.
  static absl::StatusOr<std::unique_ptr<ClusterAgent>> Start(Node* node, ClusterAgentOptions options);
  ~ClusterAgent();  // keeps the lease, as a crash would

  // Tells the cluster that this node is gone. Takes a few seconds at most, if Redis does not answer.
  void Leave();

  ClusterGauges gauges() const;
  std::shared_ptr<const ClusterMap> Map() const { return membership_->Map(); }
  // How the cluster knows this node.
  const ClusterNode& self() const { return self_; }
  // Null: the map is not this node's to change.
  NodeControl* control() const { return drain_.get(); }

 private:
  ClusterAgent() = default;

  ClusterAgentOptions options_;
  void ControlDrains(Node* node);

  ClusterNode self_;
  std::unique_ptr<NodePeers> peers_;
  std::unique_ptr<ClusterMembership> membership_;
  RedisMembership* redis_ = nullptr;  // membership_, if that is where the map comes from
  std::shared_ptr<NodeDrain> drain_;  // null: the map is not this node's to change
};

// How the cluster is to know a node. Errors as ClusterAgent::Start.
absl::StatusOr<ClusterNode> DescribeNode(const Node& node, const ClusterAgentOptions& options);

}  // namespace incipit
