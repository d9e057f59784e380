// Gives a shard's blocks to the nodes that own them next, the most valued first: by Offer and Store, as any client
// would, over links of nodes. What was given stays here too, so a node that dies meanwhile loses only what it had not
// given yet.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "cache/shard/block_store.h"
#include "cache/shard/shard_peers.h"
#include "cluster/warming/move_board.h"
#include "cluster/warming/peer_plan.h"
#include "cluster/warming/peer_table.h"
#include "cluster/warming/value_order.h"
#include "transport/wire/codec_feature.h"

namespace incipit {

// One thread: the shard's. All pointers outlive it.
class BlockMover {
 public:
  BlockMover(const PeerEnvironment* env, BlockStore* store, PeerTable* peers, std::shared_ptr<const PeerPlan> plan,
             const MoveOrder& order, std::shared_ptr<MoveBoard> board, PeerCounters* counters);

  // Until every block was offered to its next owner, or Stop. Then board->done.
  Task<void> Run();
  void Stop();
  void SetPlan(std::shared_ptr<const PeerPlan> plan) { plan_ = std::move(plan); }

 private:
  // Blocks that go to one shard of one node in one Store.
  struct Batch {
    std::shared_ptr<PeerNode> peer;
    uint16_t shard = 0;
    NamespaceId name_space = 0;
    uint64_t stamp_ns = 0;
    uint64_t bytes = 0;
    std::vector<ValuedBlock> blocks;
  };
  // What a Store sends, and what keeps it in place meanwhile.
  struct Parcel;
  // How long before the end of time their second is, so that later ones come first; node, shard, namespace.
  using BatchKey = std::tuple<uint64_t, uint64_t, uint16_t, NamespaceId>;

  Task<void> Collect();
  // Up to a window of blocks: the next ones, or such as failed before and are due.
  std::vector<ValuedBlock> TakeWindow();
  Task<void> Send(std::vector<ValuedBlock> window);
  Task<void> Dispatch(Batch batch);
  Task<void> Move(Batch batch);
  Task<absl::Status> MoveOver(LentLink* link, Batch* batch);
  bool CannotTake(const wire::HelloReply& hello, const ValuedBlock& block);
  Task<absl::StatusOr<std::vector<ValuedBlock>>> Offer(LentLink* link, Batch* batch, uint32_t namespace_id);
  Task<void> Pack(std::vector<ValuedBlock> wanted, Parcel* parcel);
  Task<absl::Status> PackOne(const ValuedBlock* block, Parcel* parcel, int64_t deadline_ns);
  Task<absl::Status> Store(LentLink* link, const Batch* batch, Parcel* parcel);
  Task<void> Pace(uint64_t bytes);
  // Null if the block is not here any more.
  const Entry* Find(const ValuedBlock& block) const;
  void Lose(const ValuedBlock& block);
  void Retry(ValuedBlock block);

  const PeerEnvironment* env_;
  BlockStore* store_;
  PeerTable* peers_;
  std::shared_ptr<const PeerPlan> plan_;
  const MoveOrder order_;
  std::shared_ptr<MoveBoard> board_;
  PeerCounters* counters_;
  ValueOrder blocks_;
  std::vector<ValuedBlock> failed_;
  int64_t retry_at_ns_ = 0;
  int64_t next_send_ns_ = 0;  // by the limit of bytes
  bool stopping_ = false;
  Event stop_;
  Semaphore streams_;
  TaskScope scope_;
};

}  // namespace incipit
