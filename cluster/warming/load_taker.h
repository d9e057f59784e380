// Takes the replies of a Load at another node into this shard's store, block by block.
#pragma once

#include <vector>

#include "cache/shard/block_store.h"
#include "cluster/warming/block_fetcher.h"

namespace incipit {

// One thread. All pointers outlive it.
class LoadTaker : public ReplySink {
 public:
  // `order` with the keys in the order of the request whose replies come.
  LoadTaker(Loop* loop, BlockStore* store, const FetchOrder* order, const std::vector<wire::KeyRef>* keys,
            FetchResult* result)
      : loop_(loop), store_(store), order_(order), keys_(keys), result_(result), seen_(keys->size(), false) {}

  // DataLoss: a block that was not asked for, or twice. Otherwise as FrameChannel::ReceivePayload.
  Task<absl::Status> OnReply(FrameChannel* channel, const IncomingFrame* frame) override;

 private:
  Task<absl::Status> TakeBlock(FrameChannel* channel, const wire::LoadedBlock* block);
  Task<absl::Status> Skip(FrameChannel* channel, uint64_t bytes);
  bool Verify(const StoreTicket& ticket, const std::vector<Segment>& segments) const;

  Loop* loop_;
  BlockStore* store_;
  const FetchOrder* order_;
  const std::vector<wire::KeyRef>* keys_;
  FetchResult* result_;
  std::vector<bool> seen_;
  std::vector<uint8_t> scratch_;
};

}  // namespace incipit
