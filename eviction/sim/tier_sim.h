// Replays requests, block by block, through policies in place of tiers, to know the hits without moving a byte.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "eviction/policy.h"
#include "eviction/sim/trace.h"

namespace incipit {

struct SimTier {
  std::unique_ptr<Policy> policy;
  size_t capacity_blocks = 0;  // at least 1
};

struct SimResult {
  uint64_t requests = 0;
  uint64_t input_tokens = 0;
  uint64_t hit_tokens = 0;
  std::vector<uint64_t> hit_blocks;      // by tier
  std::vector<uint64_t> demoted_blocks;  // that entered the tier from the one before
  double TokenHitRatio() const;
};

// Tiers from the fastest down, exclusive: a block is in one at most. What a tier evicts is demoted to the next; a block
// that a request touches moves to the first. A request hits the blocks of its prompt before the first missing one; then
// all its blocks are held, with one stamp. Blocks have one size. One thread only.
class TierSim {
 public:
  TierSim(std::vector<SimTier> tiers, uint64_t block_tokens);

  // Returns the number of leading blocks that were held.
  size_t Replay(const TraceRequest& request);
  const SimResult& result() const { return result_; }
  bool Holds(uint64_t block_hash) const;

 private:
  static constexpr uint8_t kNowhere = UINT8_MAX;
  struct Block {
    uint32_t depth_tokens = 0;
    uint8_t tier = kNowhere;
  };

  BlockId IdOf(uint64_t block_hash);
  void Touch(BlockId id, const Access& access);
  void Insert(size_t tier, BlockId id, Access access);

  std::vector<SimTier> tiers_;
  uint64_t block_tokens_;
  absl::flat_hash_map<uint64_t, BlockId> ids_;
  std::vector<Block> blocks_;
  uint64_t stamp_ns_ = 0;
  SimResult result_;
};

// Distinct blocks of a trace: capacities are given as shares of it.
size_t CountUniqueBlocks(const Trace& trace);

}  // namespace incipit
