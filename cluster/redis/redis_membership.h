// Membership from Redis: joins, keeps the lease, follows the map, leaves. docs/membership.md ("From Redis").
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "cache/seams/random.h"
#include "cluster/membership/cluster_membership.h"
#include "cluster/membership/membership_rules.h"
#include "cluster/redis/map_script.h"
#include "cluster/redis/redis_address.h"
#include "cluster/redis/sentinel_watch.h"
#include "transport/owned_fd.h"

namespace incipit {

struct RedisMembershipOptions {
  RedisAddress address;
  std::string password;             // of Redis; empty = none
  std::string sentinel_password;    // of the sentinels, with an address that names some; empty = none
  std::optional<ClusterNode> self;  // the node to register, with the state to begin with; none = only follow the map
  uint32_t lease_ms = 10'000;       // 100 to 600,000; taken if the cluster is new
  uint32_t timeout_ms = 1000;       // of one call to Redis
  uint32_t retry_min_ms = 100;      // pause after a failure; doubles up to the maximum
  uint32_t retry_max_ms = 2000;
  // On the membership's thread, for each map that is taken, before Map() gives it, so that who acts by the map finds
  // what follows from it done; and once if the node turns out to be a zombie. Must not call Stop.
  std::function<void(std::shared_ptr<const ClusterMap>)> on_map;
  std::function<void(const absl::Status&)> on_fenced;
};

struct RedisMembershipStatus {
  bool connected = false;
  bool joined = false;  // registered with a lease, as far as Redis said last
  bool fenced = false;  // another process is this node; nothing is written any more
  uint64_t calls = 0;   // of the script
  uint64_t fetches = 0, joins = 0, failures = 0, bad_records = 0;
  uint64_t unreachable = 0, refused = 0;             // of the failures: no answer in time; an answer that says no
  std::chrono::steady_clock::time_point renewed_at;  // the lease, or the knowledge of the map; the start before that
  std::string server;                                // that was called last, as "host:port" or a path; empty = none yet
  absl::Status last_error;                           // ok while all is well
};

// Owner: the node. It has one thread of its own, which alone talks to Redis, and where there are sentinels that of a
// SentinelWatch; any thread may call any method but Stop and the destructor, which belong to the owner. Only Wait* and
// Stop block.
class RedisMembership : public ClusterMembership {
 public:
  // InvalidArgument: an option. Does not wait for Redis: while it is away there is no map, and it is tried again.
  static absl::StatusOr<std::unique_ptr<RedisMembership>> Start(RedisMembershipOptions options);
  ~RedisMembership() override;  // as Stop(kKeepLease)

  std::shared_ptr<const ClusterMap> Map() const override;
  RedisMembershipStatus status() const;

  // The state of this node, told to Redis as soon as it can be. REQUIRES: there is a self, state is not kGone.
  void SetState(NodeState state);

  // Blocks until `wanted` holds of the map, which is asked after each change, or for `timeout_ms`. DeadlineExceeded.
  using MapPredicate = std::function<bool(const ClusterMap&)>;
  absl::StatusOr<std::shared_ptr<const ClusterMap>> WaitForMap(const MapPredicate& wanted, uint32_t timeout_ms) const;
  absl::Status WaitForStatus(const std::function<bool(const RedisMembershipStatus&)>& wanted,
                             uint32_t timeout_ms) const;

  enum class Leaving { kLeave, kKeepLease };  // the latter as if the process had been killed
  // Ends the thread, after telling Redis that the node is gone if it is to leave: at most a few times timeout_ms.
  // Later calls do nothing.
  void Stop(Leaving leaving);

 private:
  explicit RedisMembership(RedisMembershipOptions options);
  // All of these on the thread.
  void Run();
  absl::Status Connect();
  absl::StatusOr<RedisAddress> FindServer();
  // Whether the sentinels name another master than the one that was tried last.
  bool MasterMoved() const;
  MapCaller Caller() const;
  absl::Status Step();
  absl::StatusOr<MapAnswer> Make(MemberCall call);
  void Publish(std::shared_ptr<const ClusterMap> map);
  absl::Status AwaitNews();
  void Fence(const absl::Status& why);
  void Failed(const absl::Status& why);
  void Sleep(uint32_t ms);
  void Wake();

  const RedisMembershipOptions options_;
  const MapScript script_;
  OwnedFd wake_;
  // The thread's own.
  const std::unique_ptr<Random> random_;
  MembershipRules rules_;
  std::optional<RedisMaster> master_;  // that was tried last; none without sentinels
  std::optional<RedisConnection> calls_, news_;
  uint32_t retry_ms_ = 0;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::shared_ptr<const ClusterMap> map_;  // under mutex_, as all below
  RedisMembershipStatus status_;
  NodeState wanted_state_ = NodeState::kJoining;
  bool stopping_ = false;
  bool leave_ = false;
  std::unique_ptr<SentinelWatch> watch_;  // null without sentinels; wakes the thread, so it ends before wake_
  std::thread thread_;
};

}  // namespace incipit
