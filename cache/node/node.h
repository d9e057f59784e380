// One node: its shards, each on its own thread, and the address they share.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/node/node_identity.h"
#include "cache/node/node_options.h"
#include "cache/node/shard_thread.h"
#include "cache/seams/static_membership.h"
#include "cache/tenants/tenant_table.h"
#include "eviction/policy_peers.h"

namespace incipit {

// Any thread may call any method but Start and Stop, which belong to the thread that made it.
class Node {
 public:
  // Starts all shards and returns when they serve; indexing of NVMe goes on behind. Errors name what to change.
  static absl::StatusOr<std::unique_ptr<Node>> Start(NodeOptions options);
  ~Node();

  // Stops taking requests, writes what is dirty, seals. DeadlineExceeded: a hung device; the process should exit.
  absl::Status Stop(int64_t timeout_ms);

  // Reads the tenants' file again. On an error everything stays as it was. FailedPrecondition: the node has none.
  // Sessions of tenants that are gone are cut; roles, grants and quotas count from now on; a changed secret, for new
  // sessions.
  absl::Status ReloadTenants();

  // Gives the cluster's map to clients that ask for it, from all shards. Does not wait for them.
  void PublishMap(const PublishedMapRef& map);

  // Runs `work` on each shard's thread, with its loop, in the order of calls. Does not wait; a shard that has stopped
  // is left out.
  void OnEachShard(const std::function<void(Shard*, UringLoop*)>& work);

  // "127.0.0.1:9400", with the port really taken.
  std::string address() const;
  // "unix:///path", empty without that lane.
  std::string unix_address() const;
  // "ucx://127.0.0.1:9410?devices=lo", of shard 0, from which clients derive the others'; empty without that lane.
  std::string ucx_address() const;
  const NodeOptions& options() const { return options_; }
  // Who serves which shard: this node, all of them.
  const Membership& membership() const { return *membership_; }
  const NodeIdentity& identity() const { return identity_; }
  // Null unless record_bytes.
  const RequestRecorder* recorder() const { return recorder_.get(); }
  // Of the shards that answer within `timeout_ms`; a stopped shard gives none.
  std::vector<ShardReport> Reports(int64_t timeout_ms = 1000);

 private:
  Node() = default;
  absl::StatusOr<ShardThreadOptions> OptionsOf(uint16_t shard) const;

  NodeOptions options_;
  NodeIdentity identity_;
  std::unique_ptr<StaticMembership> membership_;
  bool nvme_is_device_ = false;
  TenantTableRef tenants_;                              // as read at the start
  std::shared_ptr<PolicyPeers> ram_peers_, all_peers_;  // of several shards
  std::shared_ptr<RequestRecorder> recorder_;           // null = none
  std::vector<std::unique_ptr<ShardThread>> shards_;
};

}  // namespace incipit
