// A whole cluster in one thread of virtual time, from one seed: nodes, the keeper of the map, clients, and faults of
// all of them. It only notes what goes wrong, so that tests say that nothing did, and canaries that something did.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/cluster_sim/sim_client.h"
#include "tests/support/cluster_sim/sim_process.h"

namespace incipit::testing {

class WholeClusterSim {
 public:
  explicit WholeClusterSim(uint64_t seed);
  ~WholeClusterSim();

  // Starts all, works under faults, heals, waits for all maps to be one, demands that everything works, ends.
  void Run();

  const std::vector<std::string>& violations() const { return world_.violations; }
  const ClusterSimTotals& totals() const { return world_.totals; }
  uint64_t history() const { return world_.history(); }  // the same for the same seed

 private:
  static constexpr int64_t kFaultsNs = 12'000 * kSimMs;
  static constexpr int64_t kConvergenceNs = 10'000 * kSimMs;

  struct Node {
    ClusterNode self;
    SimDevices devices;
    std::unique_ptr<SimProcess> process;
    int64_t back_at_ns = 0;  // 0: it runs, or stays away
    bool leaving = false;
  };

  static ClusterSimPlan Draw(Random* random);
  void MakeNodes();
  void MakeClients();
  void StartNode(Node* node);
  // Faults; each between two rounds of the loop.
  void OneFault();
  void CrashNode(Node* node);
  void PauseNode(Node* node);
  void ReplaceNode(Node* node);
  void DrainNode(Node* node);
  void FollowDrain(Node* node);
  void CutNetwork();
  void TroubleKeeper();
  void JumpClocks();
  void SetFaults();
  void Recover();  // whoever's time has come
  void HealAll();
  bool Converged() const;
  void AwaitConvergence();
  void DemandWork();
  void End();
  void RunFor(int64_t ns) { world_.loop.RunUntil(world_.loop.NowNs() + ns); }
  void Join(TaskScope* scope);
  Node* AnyNode() { return &nodes_[world_.random->Below(nodes_.size())]; }
  uint64_t Between(uint64_t least, uint64_t most) { return least + world_.random->Below(most - least + 1); }
  std::shared_ptr<const ClusterMap> MapAt(const std::string& address) const;

  ClusterWorld world_;
  std::vector<Node> nodes_;
  std::vector<std::unique_ptr<SimProcess>> zombies_;  // stopped, while another process is their node
  std::vector<std::unique_ptr<SimProcess>> ended_;    // the network may still know them
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::pair<int64_t, std::string>> resume_at_;  // paused processes
  MapKeeperModel backup_;
  int64_t keeper_back_ns_ = 0, heal_network_ns_ = 0;
  TaskScope tasks_;
};

}  // namespace incipit::testing
