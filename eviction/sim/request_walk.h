// What a simulated request tells policies of each block of its prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "eviction/policy.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit {

// Walks a trace request by request, as a node would see it: a request has one stamp, which grows with each also within
// a millisecond; its turn is one more than that in which the deepest block that a shard finds of it was stored. One
// thread. Memory: one byte for each distinct block, and the longest chain.
class RequestWalk {
 public:
  using Block = PrefixTrace::Block;

  explicit RequestWalk(const PrefixTrace& trace) : trace_(trace), turns_(trace.unique_blocks()) {}

  // Takes up `request`, one of the trace's.
  void Begin(const PrefixTrace::Request& request);
  // Of the request in hand, from the first block to the last.
  const std::vector<Block>& chain() const { return chain_; }
  uint64_t stamp_ns() const { return access_.stamp_ns; }
  // The turn of the request, of whose blocks `deepest` is the deepest that was found; kNone: none was.
  uint8_t TurnAfter(Block deepest) const;
  // Of the block at `index` of the chain, in that turn.
  const Access& AccessOf(size_t index, uint8_t turn);
  // The block is held from now on and was not before.
  void NoteStored(Block block, uint8_t turn) { turns_[block] = turn; }

 private:
  const PrefixTrace& trace_;
  std::vector<uint8_t> turns_;  // by block: in which turn it was stored
  std::vector<Block> chain_;
  const PrefixTrace::Request* request_ = nullptr;
  Access access_{.bytes = 1};
};

}  // namespace incipit
