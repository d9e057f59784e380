// One life of a node of a simulated cluster: its shards on devices that outlive it, its network address, its
// membership, its dealings with other nodes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "cluster/warming/placement_history.h"
#include "tests/support/cluster_sim/sim_member.h"
#include "tests/support/sim_node.h"

namespace incipit::testing {

class SimPeers;
using SimDevices = std::vector<std::shared_ptr<MemDiskContents>>;  // of a node, one a shard; empty: no NVMe

inline constexpr uint64_t kSimDeviceBytes = 2 << 20;
inline constexpr const char* kTeam = "team";
inline constexpr const char* kOther = "other";
inline constexpr const char* kIntruder = "intruder";
inline constexpr const char* kNodes = "nodes";  // as which nodes ask each other

// Start() once; End() or Crash(), both outside of the loop's callbacks, which they run; then Join() before destruction.
class SimProcess {
 public:
  enum class DrainState { kNone, kGoesOn, kServesAgain, kLeft };

  SimProcess(ClusterWorld* world, const ClusterNode& self, SimDevices devices);
  ~SimProcess();

  void Start();
  // Loss of power, or kill -9: what is not flushed may be lost, connections break.
  void Crash();
  // In good order. The lease stays, as after a kill, unless the node was drained.
  void End();
  Event::Awaiter Join() { return tasks_.Join(); }

  // Gives its blocks away and leaves, by the steps of a node: see drain() for how far it is.
  void BeginDrain(int64_t timeout_ms);
  // Faults of all its devices from now on; zeros heal.
  void SetDiskFaults(double errors, double flips, double torn);

  bool running() const { return running_; }
  DrainState drain() const { return drain_; }
  const std::string& address() const { return address_; }
  const ClusterNode& self() const { return self_; }
  SimMember* member() { return &member_; }
  const SimDevices& devices() const { return devices_; }

 private:
  Disk* AddDisk(uint64_t shard);
  ShardOptions Options() const;
  TenantTableRef Tenants() const;
  void AddPeers();
  void OnMap(const std::shared_ptr<const ClusterMap>& map);
  Task<void> ServeWhenRecovered();
  Task<void> Drain(int64_t timeout_ms);
  void CheckUndamaged();
  void CountPeers();

  ClusterWorld* world_;
  ClusterNode self_;
  std::string address_;
  SimDevices devices_;
  std::vector<std::unique_ptr<MemDisk>> disks_;
  std::vector<std::unique_ptr<FaultyDisk>> faulty_;
  std::unique_ptr<Connector> connector_;  // to other nodes
  SimNode node_;
  std::vector<std::shared_ptr<SimPeers>> peers_;  // of its shards, which own them too
  PlacementHistory history_;
  SimMember member_;
  bool running_ = false;
  DrainState drain_ = DrainState::kNone;
  TaskScope tasks_;
};

}  // namespace incipit::testing
