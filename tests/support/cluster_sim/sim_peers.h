// What a shard of a simulated node asks of other nodes: the warming of the real one. It notes what it found there.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cluster/warming/shard_warmer.h"
#include "tests/support/cluster_sim/cluster_world.h"

namespace incipit::testing {

// As ShardWarmer, and outlived by the same.
class SimPeers : public ShardPeers {
 public:
  SimPeers(ClusterWorld* world, std::string address, Shard* shard, PeerEnvironment env)
      : world_(world), address_(std::move(address)), warmer_(shard, std::move(env)) {}

  ShardWarmer* warmer() { return &warmer_; }

  bool MayHave(NamespaceId name_space, const wire::KeyRef& key) override { return warmer_.MayHave(name_space, key); }
  Task<void> Match(const PeerQuestion* question, std::vector<wire::Presence>* found) override {
    Task<void> asking = warmer_.Match(question, found);
    co_await asking;
    for (size_t i = 0; i < found->size(); ++i) {
      if ((*found)[i] != wire::Presence::kMiss) world_->NoteElsewhere(address_, question->keys[i].key);
    }
  }
  Task<void> TakeOver(const PeerQuestion* question) override { return warmer_.TakeOver(question); }
  Task<void> Stop() override { return warmer_.Stop(); }
  const PeerCounters& counters() const override { return warmer_.counters(); }

 private:
  ClusterWorld* world_;
  const std::string address_;
  ShardWarmer warmer_;
};

}  // namespace incipit::testing
