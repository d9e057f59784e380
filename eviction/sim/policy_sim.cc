#include "eviction/sim/policy_sim.h"

#include <algorithm>

#include "cache/base/check.h"
#include "eviction/ghost_table.h"

namespace incipit {
namespace {

using Block = PrefixTrace::Block;

constexpr size_t kProgressRequests = 256;
constexpr uint64_t kNsPerMs = 1'000'000;

struct Shard {
  std::unique_ptr<Policy> policy;
  size_t capacity = 0;
  std::vector<Block> block_of;  // by BlockId
  std::vector<BlockId> unused;
};

class Simulation {
 public:
  Simulation(const PrefixTrace& trace, const PolicySimOptions& options,
             const std::function<std::unique_ptr<Policy>(size_t, uint32_t)>& make)
      : trace_(trace),
        options_(options),
        shards_(options.shards),
        held_as_(trace.unique_blocks(), kNoBlock),
        turns_(trace.unique_blocks()) {
    for (uint32_t i = 0; i < options.shards; ++i) {
      shards_[i].capacity = (options.capacity_blocks + i) / options.shards;
      shards_[i].policy = make(std::max<size_t>(1, shards_[i].capacity), i);
    }
  }

  PolicySimResult Run() {
    for (size_t i = 0; i < trace_.requests().size(); ++i) {
      if (options_.hint_ns > 0) Announce(i);
      Serve(i);
      if (options_.progress && i % kProgressRequests == 0) options_.progress(i);
    }
    for (const Shard& shard : shards_) result_.policy_bytes += shard.policy->MemoryBytes();
    return result_;
  }

 private:
  Shard& ShardOf(Block block) {
    return shards_.size() == 1 ? shards_[0] : shards_[MixKey(uint64_t{block} + 1) % shards_.size()];
  }

  // Stamps grow with each request, also within a millisecond.
  void Serve(size_t index) {
    const PrefixTrace::Request& request = trace_.requests()[index];
    stamp_ns_ = std::max(stamp_ns_ + 1, request.time_ms * kNsPerMs);
    trace_.ChainOf(request, &chain_);
    uint32_t hits = 0;
    while (hits < chain_.size() && held_as_[chain_[hits]] != kNoBlock) ++hits;
    result_.totals.Add(trace_, request, hits, options_.cost);
    // The conversation's turn: one more than that of the last block that is there from before.
    const auto turn = static_cast<uint8_t>(hits == 0 ? 1 : std::min(turns_[chain_[hits - 1]] + 1, UINT8_MAX));
    Access access{.stamp_ns = stamp_ns_, .bytes = 1, .turn = turn, .output_tokens = request.output_tokens};
    for (size_t depth = chain_.size(); depth-- > 0;) {
      const Block block = chain_[depth];
      access.depth_tokens =
          static_cast<uint32_t>(std::min<uint64_t>(uint64_t{depth} * trace_.block_tokens(), UINT32_MAX));
      access.key = MixKey(uint64_t{block} + 1);
      Touch(block, access, turn, depth >= hits);
    }
    if (options_.hint_ns > 0) HintOwn(index);
    for (Shard& shard : shards_) CutBack(&shard);
  }

  void Touch(Block block, const Access& access, uint8_t turn, bool behind_the_hits) {
    Shard& shard = ShardOf(block);
    if (held_as_[block] != kNoBlock) {
      if (behind_the_hits) ++result_.orphans;
      shard.policy->OnAccess(held_as_[block], access);
      return;
    }
    BlockId id = static_cast<BlockId>(shard.block_of.size());
    if (shard.unused.empty()) {
      shard.block_of.push_back(block);
    } else {
      id = shard.unused.back();
      shard.unused.pop_back();
      shard.block_of[id] = block;
    }
    held_as_[block] = id;
    turns_[block] = turn;
    ++result_.totals.inserted_blocks;
    shard.policy->OnInsert(id, access);
  }

  void CutBack(Shard* shard) {
    while (shard->policy->size() > shard->capacity) {
      const BlockId victim = shard->policy->Victim([](BlockId) { return true; }, SIZE_MAX);
      INCIPIT_CHECK(victim != kNoBlock, "a policy that holds blocks must name one");
      shard->policy->OnRemove(victim);
      held_as_[shard->block_of[victim]] = kNoBlock;
      shard->unused.push_back(victim);
    }
  }

  // Tells of the blocks of requests that come within reach while `index` is served.
  void Announce(size_t index) {
    const uint64_t reach_ns = trace_.requests()[index].time_ms * kNsPerMs + options_.hint_ns;
    announced_ = std::max(announced_, index + 1);
    for (; announced_ < trace_.requests().size(); ++announced_) {
      const PrefixTrace::Request& request = trace_.requests()[announced_];
      if (request.time_ms * kNsPerMs > reach_ns) return;
      trace_.ChainOf(request, &announced_chain_);
      for (size_t depth = announced_chain_.size(); depth-- > 0;) HintAt(announced_chain_[depth], request.time_ms);
    }
  }

  // What the request itself touched may be touched again by one that is announced already.
  void HintOwn(size_t index) {
    const auto pieces = options_.next_use->Of(index);
    for (size_t piece = pieces.size(); piece-- > 0;) {
      const uint32_t next = pieces[piece].request;
      if (next >= announced_) continue;  // also where it is kNever
      const size_t end = piece + 1 < pieces.size() ? pieces[piece + 1].begin : chain_.size();
      for (size_t depth = end; depth-- > pieces[piece].begin;) HintAt(chain_[depth], trace_.requests()[next].time_ms);
    }
  }

  void HintAt(Block block, uint64_t time_ms) {
    if (held_as_[block] == kNoBlock) return;
    // Requests of one time are served one after the other: never announced for the present moment.
    ShardOf(block).policy->OnHint(held_as_[block], {.next_use_ns = std::max(stamp_ns_ + 1, time_ms * kNsPerMs)});
  }

  const PrefixTrace& trace_;
  const PolicySimOptions& options_;
  std::vector<Shard> shards_;
  std::vector<BlockId> held_as_;  // by block; kNoBlock: not held
  std::vector<uint8_t> turns_;    // by block: in which turn it was inserted
  std::vector<Block> chain_, announced_chain_;
  size_t announced_ = 0;  // requests told of so far
  uint64_t stamp_ns_ = 0;
  PolicySimResult result_;
};

}  // namespace

PolicySimResult SimulatePolicy(const PrefixTrace& trace, const PolicySimOptions& options,
                               const std::function<std::unique_ptr<Policy>(size_t, uint32_t)>& make) {
  INCIPIT_CHECK(options.shards > 0 && options.capacity_blocks > 0, "a simulation needs a shard and room for a block");
  INCIPIT_CHECK(options.hint_ns == 0 || options.next_use != nullptr, "hints need to know the future");
  return Simulation(trace, options, make).Run();
}

}  // namespace incipit
