// One shard's part in warming: asks previous owners about blocks that are missed here, takes them over, and gives the
// shard's own blocks away when the node is drained. docs/membership.md, "Warming" and "Draining".
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cache/shard/shard.h"
#include "cluster/warming/block_fetcher.h"
#include "cluster/warming/block_mover.h"
#include "cluster/warming/peer_plan.h"
#include "cluster/warming/peer_table.h"

namespace incipit {

// One thread: the shard's. The shard, through which it is owned, and the seams of `env` outlive it.
class ShardWarmer : public ShardPeers {
 public:
  ShardWarmer(Shard* shard, PeerEnvironment env);
  ~ShardWarmer() override;  // REQUIRES: Stop() ended

  void SetPlan(std::shared_ptr<const PeerPlan> plan);
  // Takes no more stores and gives all blocks away; `board` says how far it is. Until EndMoving.
  void BeginMoving(const MoveOrder& order, std::shared_ptr<MoveBoard> board);
  // `takes_stores`: from now on again.
  void EndMoving(bool takes_stores);

  bool MayHave(NamespaceId name_space, const wire::KeyRef& key) override;
  Task<void> Match(const PeerQuestion* question, std::vector<wire::Presence>* found) override;
  Task<void> TakeOver(const PeerQuestion* question) override;
  Task<void> Stop() override;
  const PeerCounters& counters() const override { return counters_; }

 private:
  // A block that is on its way, for whoever wants it too.
  struct Flight {
    explicit Flight(Loop* loop) : landed(loop) {}
    Event landed;
  };
  using Which = std::vector<uint32_t>;  // indices of keys of a question

  PreviousOwners PreviousOwnersOf(NamespaceId name_space, const wire::KeyRef& key) const;
  // These keys by the nodes to ask: of each key's previous owners those from `first` to before `end`. What is not asked
  // for is left out and counted.
  std::vector<std::pair<std::shared_ptr<PeerNode>, Which>> ByPeer(const PeerQuestion& question, const Which& which,
                                                                  size_t first, size_t end);
  Task<void> MatchAt(std::shared_ptr<PeerNode> peer, const PeerQuestion* question, Which which,
                     std::vector<wire::Presence>* found);
  Task<void> MatchAtShard(std::shared_ptr<PeerNode> peer, uint16_t shard, const PeerQuestion* question, Which which,
                          std::vector<wire::Presence>* found);
  Task<void> FetchFrom(std::shared_ptr<PeerNode> peer, const PeerQuestion* question, Which which);
  // From one previous owner after the other, until all are here.
  Task<void> FetchAll(const PeerQuestion* question, Which which);
  uint64_t BytesOf(const PeerQuestion& question) const;
  // Closes connections when there is nobody left to ask.
  Task<void> Tidy();

  Shard* shard_;
  PeerCounters counters_;
  PeerEnvironment env_;
  PeerTable peers_;
  BlockFetcher fetcher_;
  std::shared_ptr<const PeerPlan> plan_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, std::shared_ptr<Flight>> flights_;  // by the block's hash
  uint32_t questions_ = 0;
  uint64_t fetching_bytes_ = 0;
  std::shared_ptr<BlockMover> mover_;
  bool stopping_ = false;
  Event plan_changed_;
  TaskScope tasks_;
};

}  // namespace incipit
