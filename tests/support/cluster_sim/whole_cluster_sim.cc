#include "tests/support/cluster_sim/whole_cluster_sim.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace incipit::testing {
namespace {

constexpr uint64_t kFirstNodeId = 0xa0;

std::string AddressOf(uint64_t id, uint64_t life) {
  return life == 0 ? absl::StrCat("mem://n", id) : absl::StrCat("mem://n", id, "-", life);
}

}  // namespace

ClusterSimPlan WholeClusterSim::Draw(Random* random) {
  ClusterSimPlan plan;
  plan.nodes = 3 + random->Below(7);
  plan.shards = 1 + random->Below(2);
  plan.clients = 2 + random->Below(2);
  plan.with_nvme = random->Below(2) == 0;
  plan.with_tenants = random->Below(2) == 0;
  plan.flips = random->Below(3) == 0;
  plan.disk_faults = plan.with_nvme && random->Below(2) == 0;
  plan.index_hash_bits = random->Below(4) == 0 ? 6 : 128;
  plan.keeper_loses = random->Below(2) == 0;
  constexpr uint32_t kLeasesMs[] = {1500, 3000, 5000};
  plan.lease_ms = kLeasesMs[random->Below(std::size(kLeasesMs))];
  // Of half the clusters so little that most stores evict.
  plan.quota_bytes = (random->Below(2) == 0 ? 7 + random->Below(16) : 24 + random->Below(80)) << 10;
  plan.pipe_bytes = random->Below(2) == 0 ? 8 << 10 : 64 << 10;
  constexpr int64_t kWarmMs[] = {0, 3000, 600'000};
  plan.warm_ms = kWarmMs[random->Below(std::size(kWarmMs))];
  plan.slow_sends = random->Below(3) == 0;
  if (plan.slow_sends) {
    plan.pipe_bytes = 512;
    plan.chains = 4;
    plan.pause_ms = 40;
    plan.removals = 4;
  }
  return plan;
}

WholeClusterSim::WholeClusterSim(uint64_t seed)
    : world_(seed, Draw(MakeSeededRandom(~seed).get()).pipe_bytes), tasks_(&world_.loop) {
  world_.plan = Draw(MakeSeededRandom(~seed).get());
  spdlog::set_level(spdlog::level::err);  // nodes that do not answer are what it is about
  world_.keeper_offset_ms = 1'700'000'000'000;
}

WholeClusterSim::~WholeClusterSim() = default;

void WholeClusterSim::MakeNodes() {
  world_.keeper.set_on_publish([this](uint64_t epoch) {
    for (const Node& node : nodes_) {
      if (node.process == nullptr) continue;
      world_.Send(kKeeper, node.process->address(),
                  [member = node.process->member(), epoch] { member->OnNews(epoch); });
    }
  });
  nodes_.resize(world_.plan.nodes);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    ClusterNode& self = nodes_[i].self;
    self.id = kFirstNodeId + i;
    self.state = NodeState::kJoining;
    self.weight = static_cast<uint32_t>(Between(1, 3));
    self.zone = absl::StrCat("rack-", i % 3);
    self.shards = static_cast<uint16_t>(world_.plan.shards);
    self.addresses = {AddressOf(self.id, 0)};
    for (uint64_t shard = 0; world_.plan.with_nvme && shard < world_.plan.shards; ++shard) {
      nodes_[i].devices.push_back(std::make_shared<MemDiskContents>(kSimDeviceBytes));
    }
    StartNode(&nodes_[i]);
  }
}

void WholeClusterSim::StartNode(Node* node) {
  if (node->process != nullptr) ended_.push_back(std::move(node->process));
  ++node->self.incarnation;
  node->back_at_ns = 0;
  node->leaving = false;
  node->process = std::make_unique<SimProcess>(&world_, node->self, node->devices);
  node->process->Start();
}

std::shared_ptr<const ClusterMap> WholeClusterSim::MapAt(const std::string& address) const {
  const auto map_of = [&](const std::unique_ptr<SimProcess>& process) -> std::shared_ptr<const ClusterMap> {
    const bool here = process != nullptr && process->running() && process->address() == address;
    return here ? process->member()->map() : nullptr;
  };
  for (const Node& node : nodes_) {
    if (auto map = map_of(node.process)) return map;
  }
  for (const auto& zombie : zombies_) {
    if (auto map = map_of(zombie)) return map;
  }
  return nullptr;
}

void WholeClusterSim::MakeClients() {
  const auto add = [&](SimClientOptions options) {
    options.name = absl::StrCat("client-", clients_.size());
    options.seed = [this] { return AnyNode()->self.addresses[0]; };
    clients_.push_back(std::make_unique<SimClient>(&world_, std::move(options),
                                                   [this](const std::string& address) { return MapAt(address); }));
    tasks_.Spawn(clients_.back()->FollowMap());
    tasks_.Spawn(clients_.back()->Work());
  };
  for (uint64_t i = 0; i < world_.plan.clients; ++i) add({.name = "", .tenant = kTeam, .owner = "", .seed = nullptr});
  add({.name = "", .tenant = kOther, .owner = "", .version = 1, .seed = nullptr});
  add({.name = "", .tenant = kIntruder, .owner = kTeam, .seed = nullptr});
}

void WholeClusterSim::SetFaults() {
  MemNetworkFaults faults;
  faults.cut_per_mille = static_cast<uint32_t>(world_.random->Below(4));
  faults.flip_per_mille = world_.plan.flips ? static_cast<uint32_t>(Between(4, 25)) : 0;
  faults.partial_per_mille = static_cast<uint32_t>(world_.random->Below(300));
  faults.delay_per_mille = static_cast<uint32_t>(world_.random->Below(200));
  faults.refuse_per_mille = static_cast<uint32_t>(world_.random->Below(100));
  faults.max_delay_ns = 8 * kSimMs;
  if (world_.plan.slow_sends) faults.delay_per_mille = static_cast<uint32_t>(Between(200, 600));
  world_.network.set_faults(faults);
  world_.control = {.lose_per_mille = static_cast<uint32_t>(world_.random->Below(150)),
                    .duplicate_per_mille = static_cast<uint32_t>(world_.random->Below(150)),
                    .max_delay_ns = static_cast<int64_t>(Between(1, 600)) * kSimMs};
}

void WholeClusterSim::CrashNode(Node* node) {
  if (!node->process->running()) return;
  ++world_.totals.crashes;
  world_.paused.erase(node->process->address());
  world_.network.Freeze(node->process->address(), false);
  node->process->Crash();
  node->back_at_ns = world_.loop.NowNs() + static_cast<int64_t>(Between(50, 8000)) * kSimMs;
}

void WholeClusterSim::PauseNode(Node* node) {
  if (!node->process->running()) return;
  ++world_.totals.pauses;
  const std::string& address = node->process->address();
  world_.paused.insert(address);
  world_.network.Freeze(address, true);
  resume_at_.push_back({world_.loop.NowNs() + static_cast<int64_t>(Between(50, 7000)) * kSimMs, address});
}

// The process is stopped and taken for dead; another is started as the same node, elsewhere. Later the first goes on.
void WholeClusterSim::ReplaceNode(Node* node) {
  if (!node->process->running() || node->leaving) return;
  ++world_.totals.zombies;
  PauseNode(node);
  zombies_.push_back(std::move(node->process));
  node->self.addresses = {AddressOf(node->self.id, zombies_.size())};
  node->devices.clear();
  for (uint64_t shard = 0; world_.plan.with_nvme && shard < world_.plan.shards; ++shard) {
    node->devices.push_back(std::make_shared<MemDiskContents>(kSimDeviceBytes));
  }
  StartNode(node);
}

// Gives its blocks away while it serves them, leaves, and comes back later. It may be told too late, and goes on then.
void WholeClusterSim::DrainNode(Node* node) {
  if (!node->process->running() || node->leaving) return;
  ++world_.totals.drains;
  node->leaving = true;
  node->process->BeginDrain(static_cast<int64_t>(Between(500, 5000)));
}

void WholeClusterSim::FollowDrain(Node* node) {
  const SimProcess::DrainState state = node->process->drain();
  if (state == SimProcess::DrainState::kServesAgain) node->leaving = false;
  if (state != SimProcess::DrainState::kLeft) return;
  node->process->End();
  node->back_at_ns = world_.loop.NowNs() + static_cast<int64_t>(Between(100, 3000)) * kSimMs;
}

void WholeClusterSim::CutNetwork() {
  ++world_.totals.partitions;
  const std::string one = AnyNode()->process->address();
  std::string other;
  switch (world_.random->Below(3)) {
    case 0:
      other = AnyNode()->process->address();
      break;
    case 1:
      other = kKeeper;
      break;
    default:
      other = clients_[world_.random->Below(clients_.size())]->name();
  }
  if (one != other) world_.network.Partition(one, other, true);
  heal_network_ns_ = world_.loop.NowNs() + static_cast<int64_t>(Between(200, 6000)) * kSimMs;
}

void WholeClusterSim::TroubleKeeper() {
  switch (world_.plan.keeper_loses ? world_.random->Below(4) : 3) {
    case 0:
      ++world_.totals.keeper_losses;
      world_.keeper.Become(MapKeeperModel());  // restarted empty
      break;
    case 1:
      ++world_.totals.keeper_losses;
      world_.keeper.Become(backup_);  // a replica took over that was behind
      break;
    case 2:
      backup_ = world_.keeper;
      break;
    default:
      ++world_.totals.keeper_absences;
      world_.keeper_away = true;
      keeper_back_ns_ = world_.loop.NowNs() + static_cast<int64_t>(Between(200, 7000)) * kSimMs;
  }
}

void WholeClusterSim::JumpClocks() {
  ++world_.totals.clock_jumps;
  const auto jump_ms = static_cast<int64_t>(Between(0, 20'000)) - 10'000;
  if (!world_.plan.keeper_loses && world_.random->Below(2) == 0) {
    world_.keeper_offset_ms += jump_ms;
  } else {
    world_.loop.set_wall_offset_ns(1'700'000'000'000'000'000 + jump_ms * 1000 * kSimMs);
  }
}

void WholeClusterSim::OneFault() {
  Node* node = AnyNode();
  switch (world_.random->Below(10)) {
    case 0:
    case 1:
      return CrashNode(node);
    case 2:
      return PauseNode(node);
    case 3:
      return ReplaceNode(node);
    case 4:
      return DrainNode(node);
    case 5:
    case 6:
      return CutNetwork();
    case 7:
      return TroubleKeeper();
    case 8:
      return JumpClocks();
    default:
      if (!world_.plan.disk_faults || !node->process->running()) return SetFaults();
      ++world_.totals.disk_faults;
      node->process->SetDiskFaults(0.05, 0.05, 0.02);
  }
}

void WholeClusterSim::Recover() {
  const int64_t now_ns = world_.loop.NowNs();
  std::erase_if(resume_at_, [&](const auto& paused) {
    if (paused.first > now_ns) return false;
    world_.paused.erase(paused.second);
    world_.network.Freeze(paused.second, false);
    return true;
  });
  if (world_.keeper_away && now_ns >= keeper_back_ns_) world_.keeper_away = false;
  if (heal_network_ns_ != 0 && now_ns >= heal_network_ns_) {
    heal_network_ns_ = 0;
    world_.network.HealAll();
    for (const auto& [until_ns, address] : resume_at_) world_.network.Freeze(address, true);
  }
  for (auto& zombie : zombies_) {  // a process that learns that it is not the node any more stops serving
    if (!zombie->running() || !zombie->member()->fenced()) continue;
    ++world_.totals.fenced;
    zombie->End();
  }
  for (Node& node : nodes_) {
    if (node.leaving && node.process->running()) FollowDrain(&node);
    if (node.back_at_ns != 0 && now_ns >= node.back_at_ns) StartNode(&node);
  }
}

void WholeClusterSim::HealAll() {
  world_.network.set_faults({});
  world_.control = {.max_delay_ns = 2 * kSimMs};
  world_.keeper_away = false;
  for (auto& [until_ns, address] : resume_at_) until_ns = 0;
  heal_network_ns_ = 1;
  Recover();
  for (Node& node : nodes_) {
    if (node.process->running() && !node.leaving) {
      node.process->SetDiskFaults(0, 0, 0);
      continue;
    }
    node.process->End();
    // Some stay away, never all: their lease must run out. Not where an older process may come back and be it.
    const bool older = std::any_of(zombies_.begin(), zombies_.end(), [&](const auto& zombie) {
      return zombie->running() && zombie->self().id == node.self.id;
    });
    const bool last = &node == &nodes_.back() && std::none_of(nodes_.begin(), nodes_.end(),
                                                              [](const Node& each) { return each.process->running(); });
    if (!older && world_.random->Below(3) == 0 && !last) {
      node.back_at_ns = 0;
    } else {
      StartNode(&node);
    }
  }
}

bool WholeClusterSim::Converged() const {
  std::shared_ptr<const ClusterMap> map = clients_[0]->map();
  const auto same = [&](const std::shared_ptr<const ClusterMap>& other) { return other != nullptr && *other == *map; };
  if (map == nullptr) return false;
  for (const auto& client : clients_) {
    if (!same(client->map())) return false;
  }
  for (const auto& zombie : zombies_) {
    if (zombie->running()) return false;
  }
  for (const Node& node : nodes_) {
    const ClusterNode* listed = map->Find(node.self.id);
    const bool serving = listed != nullptr && listed->state == NodeState::kServing;
    if (serving != node.process->running()) return false;
    if (!serving) continue;
    if (listed->addresses != node.self.addresses || !same(node.process->member()->map())) return false;
  }
  return true;
}

void WholeClusterSim::AwaitConvergence() {
  const int64_t start_ns = world_.loop.NowNs();
  while (!Converged() && world_.loop.NowNs() - start_ns <= kConvergenceNs) {
    RunFor(50 * kSimMs);
    Recover();
  }
  const int64_t took_ns = world_.loop.NowNs() - start_ns;
  world_.totals.longest_convergence_ns = took_ns;
  if (took_ns <= kConvergenceNs) return;
  std::string state;
  for (const Node& node : nodes_) {
    const auto& map = node.process->member()->map();
    absl::StrAppend(&state, " n", node.self.id,
                    node.process->running() ? ":" : "(away):", map == nullptr ? 0 : map->epoch);
  }
  for (const auto& client : clients_) {
    absl::StrAppend(&state, " ", client->name(), ":", client->map() == nullptr ? 0 : client->map()->epoch);
  }
  for (const auto& zombie : zombies_) absl::StrAppend(&state, zombie->running() ? " zombie" : "");
  world_.Violated(absl::StrCat("no common map 10 s after the last fault; epochs:", state));
}

void WholeClusterSim::Join(TaskScope* scope) {
  auto join = [scope]() -> Task<void> { co_await scope->Join(); };
  world_.loop.Run(join());
}

// One after the other, so that nobody evicts what another has just stored.
void WholeClusterSim::DemandWork() {
  for (const auto& client : clients_) client->Stop();
  Join(&tasks_);
  if (world_.plan.index_hash_bits < 64) return;  // blocks share entries then, and of those only one can be stored
  for (const auto& client : clients_) {
    if (client->intruder() || world_.loop.Run(client->MustWork())) continue;
    world_.Violated(absl::StrCat(client->name(), " cannot load what it stored, though all is healed"));
  }
}

void WholeClusterSim::End() {
  for (Node& node : nodes_) node.process->member()->Stop();
  for (const auto& client : clients_) world_.loop.Run(client->Disconnect());
  for (Node& node : nodes_) node.process->End();
  for (const auto& zombie : zombies_) zombie->End();
  for (Node& node : nodes_) ended_.push_back(std::move(node.process));
  for (auto& zombie : zombies_) ended_.push_back(std::move(zombie));
  auto join = [this]() -> Task<void> {
    co_await world_.JoinMessages();
    for (const auto& process : ended_) co_await process->Join();
  };
  world_.loop.Run(join());
  const MemNetworkCounters& c = world_.network.counters();
  world_.totals.network_faults = c.cuts + c.flips + c.partials + c.delays + c.refusals;
}

void WholeClusterSim::Run() {
  world_.control = {.max_delay_ns = 2 * kSimMs};
  MakeNodes();
  MakeClients();
  RunFor(2000 * kSimMs);
  SetFaults();
  const int64_t end_ns = world_.loop.NowNs() + kFaultsNs;
  while (world_.loop.NowNs() < end_ns) {
    OneFault();
    for (uint64_t i = 0; i < 4; ++i) {
      RunFor(static_cast<int64_t>(Between(10, 250)) * kSimMs);
      Recover();
    }
  }
  HealAll();
  AwaitConvergence();
  DemandWork();
  End();
}

}  // namespace incipit::testing
