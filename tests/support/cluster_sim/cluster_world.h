// What a simulated cluster shares: time, network, chance, the keeper of the map, and what was seen to go wrong.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/runtime/sim_loop.h"
#include "cache/seams/random.h"
#include "tests/support/blocks.h"
#include "tests/support/map_keeper_model.h"
#include "transport/mem/mem_network.h"

namespace incipit::testing {

// Of messages about the map, which may be lost, come twice and in any order.
struct ControlFaults {
  uint32_t lose_per_mille = 0;
  uint32_t duplicate_per_mille = 0;
  int64_t max_delay_ns = 0;
};

// What happens in a simulation, drawn from its seed.
struct ClusterSimPlan {
  uint64_t nodes = 3, shards = 1, clients = 2;
  bool with_nvme = false, with_tenants = false;
  bool flips = false;         // of bits on connections
  bool keeper_loses = false;  // what it knows; else its clock jumps. Both at once may give an epoch twice
  bool disk_faults = false;   // errors, flipped bits, torn writes
  int index_hash_bits = 128;
  uint32_t lease_ms = 3000;
  uint64_t quota_bytes = 0;  // of a tenant's RAM on a shard
  uint64_t pipe_bytes = 0;
  int64_t warm_ms = 0;  // for how long previous owners are asked after a change
  // What clients do: chains that they work on, the pause after a call, and how many of 20 calls remove.
  uint64_t chains = 10, pause_ms = 400, removals = 1;
  bool slow_sends = false;  // loads last: while blocks are sent to one, others give them up and take their memory
};

struct ClusterSimTotals {
  uint64_t hits = 0, misses = 0, stored = 0, calls = 0, control_messages = 0, maps = 0;
  uint64_t crashes = 0, pauses = 0, partitions = 0, zombies = 0, fenced = 0, drains = 0, keeper_losses = 0,
           keeper_absences = 0, clock_jumps = 0, disk_faults = 0, network_faults = 0, leases_checked = 0;
  uint64_t found_elsewhere = 0, taken_over = 0;  // blocks that one node had from another
  uint64_t drains_ended = 0, given_away = 0;     // drains after which the node left, and blocks that went by drains
  int64_t longest_convergence_ns = 0;
};

inline constexpr int64_t kSimMs = 1'000'000;
inline constexpr const char* kKeeper = "keeper";

// One thread. Outlives everything made from it.
class ClusterWorld {
 public:
  ClusterWorld(uint64_t seed, uint64_t pipe_bytes)
      : random(MakeSeededRandom(seed)), network(&loop, random.get(), pipe_bytes), messages_(&loop) {}

  SimLoop loop;
  std::unique_ptr<Random> random;
  MemNetwork network;
  Layout layout = SmallLayout(2, 64);  // blocks of 2 KiB
  ClusterSimPlan plan;
  ClusterSimTotals totals;
  ControlFaults control;
  // The keeper of the map, and the offset of its clock.
  MapKeeperModel keeper;
  int64_t keeper_offset_ms = 0;
  bool keeper_away = false;
  absl::flat_hash_set<std::string> paused;              // addresses of processes that are stopped
  absl::flat_hash_map<std::string, uint64_t> removals;  // by key, how often
  absl::flat_hash_map<std::string, uint64_t> removing;  // by key, how many calls wait for their answer
  std::vector<std::string> violations;

  int64_t NowMs() const { return loop.NowNs() / kSimMs; }
  int64_t KeeperUs() const { return (NowMs() + keeper_offset_ms) * 1000 + static_cast<int64_t>(random->Below(1000)); }
  bool Chance(uint32_t per_mille) { return per_mille > 0 && random->Below(1000) < per_mille; }
  bool quiet() const { return quiet_; }
  void set_quiet() { quiet_ = true; }

  void Violated(std::string what) {
    if (violations.size() < 20) violations.push_back(absl::StrCat("at ", NowMs(), " ms: ", what));
  }
  void Note(uint64_t what) { history_ = (history_ ^ what) * 0x100000001b3ull + static_cast<uint64_t>(loop.NowNs()); }
  uint64_t history() const { return history_; }

  // Runs `arrive` when a message sent now gets there: never, once or twice.
  void Send(const std::string& from, const std::string& to, const std::function<void()>& arrive) {
    ++totals.control_messages;
    const int copies = 1 + (Chance(control.duplicate_per_mille) ? 1 : 0);
    for (int i = 0; i < copies; ++i) {
      if (!Chance(control.lose_per_mille)) messages_.Spawn(Carry(from, to, arrive));
    }
  }
  Event::Awaiter JoinMessages() { return messages_.Join(); }

  // The node at `address` found a block at another node: a lease at the first does not pin it.
  void NoteElsewhere(const std::string& address, ByteView key) { elsewhere_[{address, Xxh3Of(key)}] = loop.NowNs(); }
  bool FoundElsewhere(const std::string& address, ByteView key, int64_t since_ns) const {
    const auto found = elsewhere_.find({address, Xxh3Of(key)});
    return found != elsewhere_.end() && found->second >= since_ns;
  }

  // Everybody who takes a map says so: two maps of one epoch must give every block the same owner.
  void CheckMap(const std::string& who, const ClusterMap* before, const ClusterMap& taken) {
    ++totals.maps;
    if (before != nullptr && taken.epoch <= before->epoch) {
      Violated(absl::StrCat(who, " went from the map of epoch ", before->epoch, " to that of ", taken.epoch));
    }
    std::string owners(taken.placement_seed.begin(), taken.placement_seed.end());
    for (const ClusterNode& node : taken.nodes) {
      if (node.state == NodeState::kServing) absl::StrAppend(&owners, "/", node.id, ":", node.weight, ":", node.zone);
    }
    const auto [first, fresh] = owners_of_epoch_.try_emplace(taken.epoch, owners);
    if (!fresh && first->second != owners) {
      Violated(absl::StrCat(who, " took a second, other map of epoch ", taken.epoch));
    }
  }
  // The same, of one block.
  void CheckOwner(uint64_t epoch, ByteView key, uint64_t node_id) {
    const auto [first, fresh] = owner_of_block_.try_emplace({epoch, Xxh3Of(key)}, node_id);
    if (!fresh && first->second != node_id) Violated(absl::StrCat("two owners of one block in epoch ", epoch));
  }

 private:
  Task<void> Carry(std::string from, std::string to, std::function<void()> arrive) {
    const int64_t delay_ns = control.max_delay_ns == 0 ? 0 : static_cast<int64_t>(random->Below(control.max_delay_ns));
    co_await SleepUntil(&loop, loop.NowNs() + kSimMs + delay_ns);
    while (paused.contains(to)) co_await SleepUntil(&loop, loop.NowNs() + 20 * kSimMs);
    if (!network.Apart(from, to)) arrive();
  }

  TaskScope messages_;
  absl::flat_hash_map<uint64_t, std::string> owners_of_epoch_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, uint64_t> owner_of_block_;
  absl::flat_hash_map<std::pair<std::string, uint64_t>, int64_t> elsewhere_;  // when it was found last
  uint64_t history_ = 0xcbf29ce484222325ull;
  bool quiet_ = false;
};

}  // namespace incipit::testing
