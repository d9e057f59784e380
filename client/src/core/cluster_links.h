// All nodes of a cluster as one client sees them: follows the map, keeps links to the nodes that serve, and makes one
// list of their shards. docs/membership.md, "Clients"; decision 020.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/src/cluster_route.h"
#include "client/src/core/links.h"
#include "client/src/core/node_links.h"
#include "client/src/map_follower.h"

namespace incipit {

struct ClusterLinksOptions {
  std::vector<std::string> seeds;
  std::string lane = "tcp";           // nodes without an address on it count as dead
  ShardConnectionOptions connection;  // for every node; address and shard are filled in
  std::vector<uint8_t> framed_namespace;
};

// Node by node as NodeLinks; all on one loop. A node that has never answered is waited for, once, until its first
// contact has failed or taken too long; from then on its blocks are misses at once until it answers. No call spends
// more than half of what is left to its deadline on that.
class ClusterLinks final : public Links {
 public:
  // How many seeds "cluster://A,B" names, and on which lane. InvalidArgument: names none, too many, or of several
  // lanes.
  static absl::Status ParseAddress(const std::string& address, std::vector<std::string>* seeds, std::string* lane);
  static bool IsClusterAddress(const std::string& address);

  ClusterLinks(Loop* loop, Connector* connector, Random* random, ClusterLinksOptions options, ClientCounters* counters);
  ~ClusterLinks() override;

  void Start() override;
  Task<void> Stop() override;
  // Unavailable, DeadlineExceeded: there is no map; says what the last node that was asked answered.
  Task<absl::StatusOr<std::shared_ptr<ShardSet>>> Shards(int64_t deadline_ns) override;
  // OK once there is a map, every node has answered or failed or had a quarter of the time, and one is connected.
  Task<absl::Status> WaitAllReady(int64_t deadline_ns) override;
  std::vector<NodeInfo> Nodes() const override;
  uint64_t epoch() const override { return route_ == nullptr ? 0 : route_->map->epoch; }

 private:
  // One node that serves, by its address.
  struct Member {
    Member(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions options, ClientCounters* counters)
        : links(loop, connector, random, std::move(options), counters) {}
    NodeLinks links;
    bool met = false;  // the first contact has ended, well or badly
  };

  void TakeMap(const std::shared_ptr<const ClusterMap>& map);
  Task<void> Meet(std::shared_ptr<Member> member);
  Task<void> Retire(std::shared_ptr<Member> member);
  Task<absl::Status> WaitForMap(int64_t deadline_ns);
  Task<bool> WaitMet(int64_t deadline_ns);
  bool AllMet() const;
  bool AnyKnown() const;
  void StopWaiting();
  std::shared_ptr<ShardSet> CurrentShards();

  Loop* loop_;
  Connector* connector_;
  Random* random_;
  ClusterLinksOptions options_;
  ClientCounters* counters_;
  std::shared_ptr<ShardConnection> absent_;
  MapFollower follower_;
  std::shared_ptr<const ClusterRoute> route_;  // null before the first map in which anybody serves
  std::shared_ptr<const ClusterPlacement> placement_;
  absl::flat_hash_map<std::string, std::shared_ptr<Member>> members_;  // by address
  std::vector<std::shared_ptr<Member>> serving_;                       // in the placement's order; null: no address
  std::shared_ptr<ShardSet> shards_;                                   // of serving_, as far as they were known
  std::vector<std::shared_ptr<ShardSet>> known_;                       // what shards_ was made of
  bool stopping_ = false;
  Event changed_;
  TaskScope scope_;
};

}  // namespace incipit
