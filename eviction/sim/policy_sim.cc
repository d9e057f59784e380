#include "eviction/sim/policy_sim.h"

#include <algorithm>

#include "cache/base/check.h"
#include "eviction/ghost_table.h"
#include "eviction/sim/request_walk.h"

namespace incipit {
namespace {

using Block = PrefixTrace::Block;

constexpr size_t kProgressRequests = 256;
constexpr size_t kPrefetchAhead = 12;  // blocks
constexpr uint64_t kNsPerMs = 1'000'000;

struct Shard {
  std::unique_ptr<Policy> policy;
  size_t capacity = 0;
  std::vector<Block> block_of;  // by BlockId
  std::vector<BlockId> unused;
  uint8_t turn = 1;  // of the request in hand, as far as it can tell
};

class Simulation {
 public:
  Simulation(const PrefixTrace& trace, const PolicySimOptions& options,
             const std::function<std::unique_ptr<Policy>(size_t, uint32_t)>& make)
      : trace_(trace),
        options_(options),
        shards_(options.shards),
        held_as_(trace.unique_blocks(), kNoBlock),
        walk_(trace) {
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

  void Serve(size_t index) {
    const PrefixTrace::Request& request = trace_.requests()[index];
    walk_.Begin(request);
    const std::vector<Block>& chain = walk_.chain();
    uint32_t hits = 0;
    while (hits < chain.size() && held_as_[chain[hits]] != kNoBlock) ++hits;
    result_.totals.Add(trace_, request, hits, options_.cost);
    NoteTurns(hits);
    for (size_t depth = chain.size(); depth-- > 0;) {
      if (depth >= kPrefetchAhead) Prefetch(chain[depth - kPrefetchAhead]);
      Touch(depth, depth >= hits);
    }
    if (options_.hint_ns > 0) HintOwn(index);
    for (Shard& shard : shards_) CutBack(&shard);
  }

  // Shards decide alone: each goes by the deepest block that it holds itself.
  void NoteTurns(uint32_t hits) {
    const std::vector<Block>& chain = walk_.chain();
    if (shards_.size() == 1) {
      shards_[0].turn = walk_.TurnAfter(hits == 0 ? PrefixTrace::kNone : chain[hits - 1]);
      return;
    }
    for (Shard& shard : shards_) shard.turn = walk_.TurnAfter(PrefixTrace::kNone);
    for (const Block block : chain) {
      if (held_as_[block] != kNoBlock) ShardOf(block).turn = walk_.TurnAfter(block);
    }
  }

  void Prefetch(Block block) {
    if (held_as_[block] != kNoBlock) ShardOf(block).policy->Prefetch(held_as_[block]);
  }

  void Touch(size_t depth, bool behind_the_hits) {
    const Block block = walk_.chain()[depth];
    Shard& shard = ShardOf(block);
    const Access& access = walk_.AccessOf(depth, shard.turn);
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
    walk_.NoteStored(block, shard.turn);
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
      const size_t end = piece + 1 < pieces.size() ? pieces[piece + 1].begin : walk_.chain().size();
      for (size_t depth = end; depth-- > pieces[piece].begin;)
        HintAt(walk_.chain()[depth], trace_.requests()[next].time_ms);
    }
  }

  void HintAt(Block block, uint64_t time_ms) {
    if (held_as_[block] == kNoBlock) return;
    // Requests of one time are served one after the other: never announced for the present moment.
    ShardOf(block).policy->OnHint(held_as_[block], {.next_use_ns = std::max(walk_.stamp_ns() + 1, time_ms * kNsPerMs)});
  }

  const PrefixTrace& trace_;
  const PolicySimOptions& options_;
  std::vector<Shard> shards_;
  std::vector<BlockId> held_as_;  // by block; kNoBlock: not held
  RequestWalk walk_;
  std::vector<Block> announced_chain_;
  size_t announced_ = 0;  // requests told of so far
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
