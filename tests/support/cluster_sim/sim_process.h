// One life of a node of a simulated cluster: its shards on devices that outlive it, its network address, its
// membership.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "tests/support/cluster_sim/sim_member.h"
#include "tests/support/sim_node.h"
#include "tests/support/tenants.h"

namespace incipit::testing {

using SimDevices = std::vector<std::shared_ptr<MemDiskContents>>;  // of a node, one a shard; empty: no NVMe

inline constexpr uint64_t kSimDeviceBytes = 2 << 20;
inline constexpr const char* kTeam = "team";
inline constexpr const char* kOther = "other";
inline constexpr const char* kIntruder = "intruder";

// Start() once; End() or Crash(), both outside of the loop's callbacks, which they run; then Join() before destruction.
class SimProcess {
 public:
  SimProcess(ClusterWorld* world, const ClusterNode& self, SimDevices devices)
      : world_(world),
        self_(self),
        address_(self.addresses[0]),
        devices_(std::move(devices)),
        node_(&world->loop, &world->network, world->random.get(), address_),
        member_(world, address_, self),
        tasks_(&world->loop) {}

  void Start() {
    std::vector<Disk*> disks;
    for (uint64_t i = 0; i < world_->plan.shards; ++i) disks.push_back(AddDisk(i));
    const absl::Status started = node_.Start(Options(), disks, Tenants());
    if (!started.ok()) {
      world_->Violated(absl::StrCat(address_, " does not start: ", started.ToString()));
      return;
    }
    if (Tenants() == nullptr) {
      for (size_t i = 0; i < node_.shard_count(); ++i) {
        node_.shard(i)->store()->SetQuotas({{.name = kTeam, .ram_bytes = world_->plan.quota_bytes},
                                            {.name = kOther, .ram_bytes = world_->plan.quota_bytes}});
      }
    }
    running_ = true;
    tasks_.Spawn(member_.Run());
    tasks_.Spawn(ServeWhenRecovered());
  }

  // Loss of power, or kill -9: what is not flushed may be lost, connections break.
  void Crash() {
    if (!running_) return;
    for (const auto& disk : disks_) disk->Crash(world_->random.get());
    End();
  }
  // In good order. The lease stays, as after a kill, unless the member was told to leave.
  void End() {
    if (!running_) return;
    running_ = false;
    member_.Stop();
    for (const auto& disk : faulty_) disk->Heal();
    world_->network.Kill(address_);
    CheckUndamaged();
    node_.Stop();
  }
  Event::Awaiter Join() { return tasks_.Join(); }

  // Faults of all its devices from now on; zeros heal.
  void SetDiskFaults(double errors, double flips, double torn) {
    for (const auto& disk : faulty_) {
      disk->SetProbability(FaultSite::kReadError, errors);
      disk->SetProbability(FaultSite::kWriteError, errors);
      disk->SetProbability(FaultSite::kFlippedBit, flips);
      disk->SetProbability(FaultSite::kTornWrite, torn);
    }
  }

  bool running() const { return running_; }
  const std::string& address() const { return address_; }
  const ClusterNode& self() const { return self_; }
  SimMember* member() { return &member_; }
  const SimDevices& devices() const { return devices_; }

 private:
  Disk* AddDisk(uint64_t shard) {
    if (devices_.empty()) return nullptr;
    const MemDiskOptions options{.latency_ns = 50'000, .jitter_ns = 200'000, .seed = world_->random->Next()};
    disks_.push_back(std::make_unique<MemDisk>(&world_->loop, devices_[shard], options));
    faulty_.push_back(std::make_unique<FaultyDisk>(&world_->loop, disks_.back().get(), world_->random.get()));
    return faulty_.back().get();
  }

  ShardOptions Options() const {
    ShardOptions options;
    options.identity.node_id = self_.id;
    options.identity.incarnation = self_.incarnation;
    options.store.ram_bytes = 4 << 20;
    options.store.touch_ram = false;
    options.store.index_hash_bits = world_->plan.index_hash_bits;
    options.nvme.region_bytes = 128 << 10;
    options.nvme.write_buffer_bytes = 64 << 10;
    options.nvme.write_buffers = 2;
    options.nvme.read_slot_bytes = 32 << 10;
    options.nvme.read_slots = 8;
    return options;
  }

  TenantTableRef Tenants() const {
    if (!world_->plan.with_tenants) return nullptr;
    const uint64_t quota_bytes = world_->plan.quota_bytes * world_->plan.shards;
    const RoleSet both = Role::kRead | Role::kWrite;
    return MakeTable({MakeTenant(kTeam, both, quota_bytes), MakeTenant(kOther, both, quota_bytes),
                      MakeTenant(kIntruder, both, quota_bytes)});
  }

  Task<void> ServeWhenRecovered() {
    const auto recovered = [this] {
      for (size_t i = 0; i < node_.shard_count(); ++i) {
        if (!node_.shard(i)->Report().gauges.recovered) return false;
      }
      return true;
    };
    while (running_ && !recovered()) co_await SleepUntil(&world_->loop, world_->loop.NowNs() + 10 * kSimMs);
    if (running_) member_.Want(NodeState::kServing);
  }

  // Without a fault that damages, nothing may arrive damaged.
  void CheckUndamaged() {
    for (size_t i = 0; i < node_.shard_count() && !world_->plan.flips; ++i) {
      const ShardReport report = node_.shard(i)->Report();
      if (report.requests.store_damaged > 0) world_->Violated(absl::StrCat(address_, ": damage without a cause"));
    }
  }

  ClusterWorld* world_;
  ClusterNode self_;
  std::string address_;
  SimDevices devices_;
  std::vector<std::unique_ptr<MemDisk>> disks_;
  std::vector<std::unique_ptr<FaultyDisk>> faulty_;
  SimNode node_;
  SimMember member_;
  bool running_ = false;
  TaskScope tasks_;
};

}  // namespace incipit::testing
