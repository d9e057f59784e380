// One shard: a slice of the key space with its blocks, leases and sessions. Sees the world only through its loop,
// random source, disk and channels, so a test can run many in one thread, in virtual time, with faults.
// One thread: that of its loop.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/shard/block_store.h"
#include "cache/shard/claim_table.h"
#include "cache/shard/latency_histogram.h"
#include "cache/shard/lease_table.h"
#include "cache/shard/load_admission.h"
#include "cache/shard/node_control.h"
#include "cache/shard/published_map.h"
#include "cache/shard/shard_counters.h"
#include "cache/shard/shard_options.h"
#include "cache/shard/shard_peers.h"
#include "cache/tenants/authenticator.h"
#include "transport/frame_channel.h"

namespace incipit {

class Session;

class Shard {
 public:
  // Everything passed must outlive the shard. `disk` may be null.
  static Task<absl::StatusOr<std::unique_ptr<Shard>>> Open(Loop* loop, Random* random, Disk* disk,
                                                           ShardOptions options);
  ~Shard();  // REQUIRES: Shutdown() ended

  // Starts indexing NVMe; the shard serves meanwhile.
  void StartRecovery();
  // Takes over a connection whose Hello has been received, and serves it until it ends.
  // Once the shard has tenants, a `pass` that proves none of them is refused. `request_id`: of Hello, or of the Proof.
  void Adopt(std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t request_id,
             SessionPass pass = {});
  // Who may use the shard from now on, and for what; null only until the first. Cuts the sessions of those who are
  // gone.
  void SetTenants(TenantTableRef tenants);
  // The node's share of its cluster, from which shares of the tenants' cluster quotas follow: of these tenants and of
  // those that come later. Until the first, and without a cluster, all of it.
  void SetClusterShare(const ClusterShare& share);
  // Null: anybody may do anything in the namespaces of the tenant it says it is.
  const TenantTable* tenants() const { return tenants_.get(); }
  // The cluster's map as clients may have it from now on. An older one than before is ignored.
  void SetClusterMap(PublishedMapRef map);
  const PublishedMapRef& cluster_map() const { return cluster_map_; }  // null: none yet, or the node is in no cluster
  // Other nodes that may have what is missed here; null: nobody is asked. Stopped by Shutdown.
  void set_peers(std::shared_ptr<ShardPeers> peers) { peers_ = std::move(peers); }
  ShardPeers* peers() const { return peers_.get(); }
  // Who drains the node; null: it is in no cluster.
  void set_control(std::shared_ptr<NodeControl> control) { control_ = std::move(control); }
  NodeControl* control() const { return control_.get(); }
  // False while the node gives its blocks away: what is stored now would be lost soon.
  void set_takes_stores(bool takes) { takes_stores_ = takes; }
  bool takes_stores() const { return takes_stores_; }
  uint64_t tenants_generation() const { return tenants_generation_; }  // differs after each SetTenants
  AuditLog* audit() { return &audit_; }
  // Cuts all sessions, seals NVMe. A hung device delays it until `deadline_ns` at most.
  Task<absl::Status> Shutdown(int64_t deadline_ns);

  BlockStore* store() { return store_.get(); }
  LeaseTable* leases() { return &leases_; }
  ClaimTable* claims() { return &claims_; }
  LoadAdmission* admission() { return &admission_; }
  HeatTable* heat() { return &heat_; }
  Loop* loop() { return loop_; }
  const ShardOptions& options() const { return options_; }
  ShardCounters* counters() { return &counters_; }
  // Everything countable, by metric name. Cheap enough to call every second.
  ShardReport Report() const;
  // OK, or why indexing NVMe ended early; the shard serves without it.
  const absl::Status& recovery_status() const { return recovery_status_; }

  // A stamp that a request may carry: the client's, kept within what is plausible, or now.
  uint64_t ClampStamp(uint64_t stamp_ns) const;

  // Leases.
  uint64_t AddLease(uint64_t session, uint32_t lease_ms, std::vector<BlockId> blocks);
  void EndLease(uint64_t session, uint64_t lease_id);
  // A claim was granted: its end must be watched for.
  void NoteClaim() { claim_added_.Set(); }

 private:
  friend class Session;
  Shard(Loop* loop, ShardOptions options);
  Task<void> RunSession(std::unique_ptr<Session> session, uint64_t request_id);
  Task<void> RunRecovery();
  Task<void> ExpireLeases();
  Task<void> LapseClaims();
  void UnpinAll(const std::vector<BlockId>& blocks);

  Loop* loop_;
  ShardOptions options_;
  ClaimTable claims_;  // the store reports to it
  std::unique_ptr<BlockStore> store_;
  LeaseTable leases_;
  uint64_t pinned_bytes_ = 0;
  std::vector<Session*> sessions_;
  uint64_t next_session_id_ = 1;
  LoadAdmission admission_;
  HeatTable heat_;
  ShardCounters counters_;
  TenantTableRef tenants_;
  uint64_t tenants_generation_ = 0;
  ClusterShare cluster_share_;
  PublishedMapRef cluster_map_;
  std::shared_ptr<ShardPeers> peers_;
  std::shared_ptr<NodeControl> control_;
  bool takes_stores_ = true;
  AuditLog audit_;
  Event stop_;
  Event lease_added_, claim_added_;
  absl::Status recovery_status_;
  bool stopping_ = false;
  TaskScope tasks_;
};

}  // namespace incipit
