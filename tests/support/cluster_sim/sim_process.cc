#include "tests/support/cluster_sim/sim_process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/node/drain_steps.h"
#include "tests/support/cluster_sim/sim_peers.h"
#include "tests/support/small_shard.h"
#include "tests/support/tenants.h"

namespace incipit::testing {
namespace {

constexpr int64_t kLookNs = 20 * kSimMs;  // as NodeDrain looks

}  // namespace

SimProcess::SimProcess(ClusterWorld* world, const ClusterNode& self, SimDevices devices)
    : world_(world),
      self_(self),
      address_(self.addresses[0]),
      devices_(std::move(devices)),
      connector_(world->network.MakeConnector(address_)),
      node_(&world->loop, &world->network, world->random.get(), address_),
      history_(self.id, world->plan.warm_ms * kSimMs),
      member_(world, address_, self, [this](const std::shared_ptr<const ClusterMap>& map) { OnMap(map); }),
      tasks_(&world->loop) {}

SimProcess::~SimProcess() = default;

void SimProcess::Start() {
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
  AddPeers();
  running_ = true;
  tasks_.Spawn(member_.Run());
  tasks_.Spawn(ServeWhenRecovered());
}

void SimProcess::AddPeers() {
  PeerSettings settings{.node_id = self_.id, .lanes = {"mem"}};
  if (world_->plan.with_tenants) {
    settings.tenant = kNodes;
    settings.key = std::make_shared<const TenantKey>(KeyOfTenant(kNodes));
  }
  for (size_t i = 0; i < node_.shard_count(); ++i) {
    peers_.push_back(
        std::make_shared<SimPeers>(world_, address_, node_.shard(i),
                                   PeerEnvironment{&world_->loop, connector_.get(), world_->random.get(), settings}));
    node_.shard(i)->set_peers(peers_.back());
  }
}

void SimProcess::OnMap(const std::shared_ptr<const ClusterMap>& map) {
  if (!running_) return;
  const std::shared_ptr<const PeerPlan> plan = history_.Take(map, world_->loop.NowNs(), /*joined=*/true);
  for (const auto& peers : peers_) peers->warmer()->SetPlan(plan);
}

void SimProcess::Crash() {
  if (!running_) return;
  for (const auto& disk : disks_) disk->Crash(world_->random.get());
  End();
}

void SimProcess::End() {
  if (!running_) return;
  running_ = false;
  member_.Stop();
  for (const auto& disk : faulty_) disk->Heal();
  world_->network.Kill(address_);
  CheckUndamaged();
  node_.Stop();
  CountPeers();
}

void SimProcess::BeginDrain(int64_t timeout_ms) {
  drain_ = DrainState::kGoesOn;
  tasks_.Spawn(Drain(timeout_ms));
}

// What NodeDrain does on a thread of its own.
Task<void> SimProcess::Drain(int64_t timeout_ms) {
  DrainSteps steps(self_.id, world_->NowMs(), timeout_ms);
  std::vector<std::shared_ptr<MoveBoard>> boards;
  member_.Want(NodeState::kDraining);
  while (running_) {
    const bool moved = std::all_of(boards.begin(), boards.end(), [](const auto& board) { return board->done.load(); });
    const DrainStep step = steps.Next(member_.map().get(), moved, /*cancelled=*/false, world_->NowMs());
    if (step == DrainStep::kBeginMoving) {
      for (const auto& peers : peers_) {
        boards.push_back(std::make_shared<MoveBoard>());
        peers->warmer()->BeginMoving({}, boards.back());
      }
    } else if (step == DrainStep::kServeAgain) {
      member_.Want(NodeState::kServing);
      drain_ = DrainState::kServesAgain;
      co_return;
    } else if (step == DrainStep::kLeave) {
      break;
    }
    co_await SleepUntil(&world_->loop, world_->loop.NowNs() + kLookNs);
  }
  if (!running_) co_return;
  for (const auto& peers : peers_) peers->warmer()->EndMoving(/*takes_stores=*/false);
  for (const auto& board : boards) world_->totals.given_away += board->Read().moved.blocks;
  ++world_->totals.drains_ended;
  member_.Leave();
  while (!member_.ended()) co_await SleepUntil(&world_->loop, world_->loop.NowNs() + kLookNs);
  drain_ = DrainState::kLeft;
}

void SimProcess::SetDiskFaults(double errors, double flips, double torn) {
  for (const auto& disk : faulty_) {
    disk->SetProbability(FaultSite::kReadError, errors);
    disk->SetProbability(FaultSite::kWriteError, errors);
    disk->SetProbability(FaultSite::kFlippedBit, flips);
    disk->SetProbability(FaultSite::kTornWrite, torn);
  }
}

Disk* SimProcess::AddDisk(uint64_t shard) {
  if (devices_.empty()) return nullptr;
  const MemDiskOptions options{.latency_ns = 50'000, .jitter_ns = 200'000, .seed = world_->random->Next()};
  disks_.push_back(std::make_unique<MemDisk>(&world_->loop, devices_[shard], options));
  faulty_.push_back(std::make_unique<FaultyDisk>(&world_->loop, disks_.back().get(), world_->random.get()));
  return faulty_.back().get();
}

ShardOptions SimProcess::Options() const {
  ShardOptions options = SmallShard();
  options.identity.node_id = self_.id;
  options.identity.incarnation = self_.incarnation;
  options.store.index_hash_bits = world_->plan.index_hash_bits;
  return options;
}

TenantTableRef SimProcess::Tenants() const {
  if (!world_->plan.with_tenants) return nullptr;
  const uint64_t quota_bytes = world_->plan.quota_bytes * world_->plan.shards;
  const RoleSet both = Role::kRead | Role::kWrite;
  return MakeTable({MakeTenant(kTeam, both, quota_bytes), MakeTenant(kOther, both, quota_bytes),
                    MakeTenant(kIntruder, both, quota_bytes), MakeTenant(kNodes, Role::kPeer)});
}

Task<void> SimProcess::ServeWhenRecovered() {
  const auto recovered = [this] {
    for (size_t i = 0; i < node_.shard_count(); ++i) {
      if (!node_.shard(i)->Report().gauges.recovered) return false;
    }
    return true;
  };
  while (running_ && !recovered()) co_await SleepUntil(&world_->loop, world_->loop.NowNs() + 10 * kSimMs);
  if (running_ && drain_ == DrainState::kNone) member_.Want(NodeState::kServing);
}

// Without a fault that damages, nothing may arrive damaged: neither from clients nor from other nodes.
void SimProcess::CheckUndamaged() {
  for (size_t i = 0; i < node_.shard_count() && !world_->plan.flips; ++i) {
    const ShardReport report = node_.shard(i)->Report();
    const uint64_t from_nodes = world_->plan.disk_faults ? 0 : report.peers.damaged;
    if (report.requests.store_damaged > 0 || from_nodes > 0) {
      world_->Violated(absl::StrCat(address_, ": damage without a cause"));
    }
  }
}

void SimProcess::CountPeers() {
  for (const auto& peers : peers_) {
    world_->totals.found_elsewhere += peers->counters().found_keys;
    world_->totals.taken_over += peers->counters().taken_blocks;
  }
}

}  // namespace incipit::testing
