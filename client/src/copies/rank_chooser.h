// Which of the nodes that hold a block one load asks: the one whose turn it is, or the less loaded of two.
#pragma once

#include <cstdint>
#include <vector>

#include "client/src/copies/copy_table.h"
#include "client/src/core/call_context.h"

namespace incipit {

// For one call: counts what it has given to each shard so far, so that a call spreads too. One thread: the loop's.
class RankChooser {
 public:
  RankChooser(CallContext* context, const ShardSet* shards)
      : context_(context), shards_(shards), given_bytes_(shards->connections.size(), 0) {}

  // Of the ranks in `ranks` two at random, and of these the one that is expected to answer first; a shard whose breaker
  // is open comes last. REQUIRES: ranks != 0.
  size_t Choose(const LoadItem& item, uint8_t ranks, uint64_t bytes);
  // The one of `ranks` whose turn it is, unless its shard is away, or much slower (4 times and 20 ms) than one at
  // random: then as Choose.
  size_t ChooseByTurn(const LoadItem& item, uint8_t ranks, uint64_t bytes, uint8_t turn);
  // The longest that any of what was chosen is expected to take; 0: nothing is known.
  int64_t ExpectedNs() const { return expected_ns_; }

 private:
  struct Offer {
    size_t rank = 0;
    uint32_t shard = 0;
    double expected_ns = 0;
  };
  Offer OfferOf(const LoadItem& item, size_t rank, uint64_t bytes) const;
  size_t Take(const Offer& offer, uint64_t bytes);

  CallContext* context_;
  const ShardSet* shards_;
  std::vector<uint64_t> given_bytes_;  // by shard
  int64_t expected_ns_ = 0;
};

}  // namespace incipit
