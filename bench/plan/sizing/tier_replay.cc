#include "bench/plan/sizing/tier_replay.h"

#include <algorithm>

#include "cache/base/check.h"
#include "eviction/sim/request_walk.h"

namespace incipit::bench {
namespace {

using Block = PrefixTrace::Block;

constexpr size_t kProgressRequests = 256;

// A policy and which of the trace's blocks it holds, under dense ids.
class Held {
 public:
  Held(std::unique_ptr<Policy> policy, uint64_t capacity, uint64_t unique_blocks)
      : policy_(std::move(policy)), capacity_(capacity), id_of_(unique_blocks, kNoBlock) {}

  bool Holds(Block block) const { return id_of_[block] != kNoBlock; }
  // False if the block is new.
  bool Touch(Block block, const Access& access) {
    if (Holds(block)) {
      policy_->OnAccess(id_of_[block], access);
      return true;
    }
    BlockId id = static_cast<BlockId>(block_of_.size());
    if (unused_.empty()) {
      block_of_.push_back(block);
    } else {
      id = unused_.back();
      unused_.pop_back();
      block_of_[id] = block;
    }
    id_of_[block] = id;
    policy_->OnInsert(id, access);
    return false;
  }
  void Remove(Block block) {
    const BlockId id = id_of_[block];
    policy_->OnRemove(id);
    id_of_[block] = kNoBlock;
    unused_.push_back(id);
  }
  bool full() const { return policy_->size() > capacity_; }
  Block Victim() {
    const BlockId victim = policy_->Victim([](BlockId) { return true; }, SIZE_MAX);
    INCIPIT_CHECK(victim != kNoBlock, "a policy that holds blocks must name one");
    return block_of_[victim];
  }

 private:
  std::unique_ptr<Policy> policy_;
  uint64_t capacity_;
  std::vector<BlockId> id_of_;   // by block; kNoBlock: not held
  std::vector<Block> block_of_;  // by BlockId
  std::vector<BlockId> unused_;
};

class Replay {
 public:
  Replay(const PrefixTrace& trace, const TierReplayOptions& options)
      : walk_(trace),
        has_nvme_(options.ram_blocks < options.capacity_blocks),
        all_(options.make_policy(options.capacity_blocks), options.capacity_blocks, trace.unique_blocks()),
        ram_(has_nvme_ ? options.make_policy(options.ram_blocks) : nullptr, options.ram_blocks,
             has_nvme_ ? trace.unique_blocks() : 0),
        on_nvme_(has_nvme_ ? trace.unique_blocks() : 0) {}

  ServedRequest Serve(const PrefixTrace::Request& request) {
    ServedRequest served;
    walk_.Begin(request);
    const std::vector<Block>& chain = walk_.chain();
    size_t hits = 0;
    for (; hits < chain.size() && all_.Holds(chain[hits]); ++hits) {
      ++(!has_nvme_ || ram_.Holds(chain[hits]) ? served.ram_hits : served.nvme_hits);
    }
    const uint8_t turn = walk_.TurnAfter(hits == 0 ? PrefixTrace::kNone : chain[hits - 1]);
    for (size_t depth = chain.size(); depth-- > 0;) {
      const Block block = chain[depth];
      const Access& access = walk_.AccessOf(depth, turn);
      if (!all_.Touch(block, access)) {
        walk_.NoteStored(block, turn);
        ++served.stored;
      }
      if (has_nvme_) ram_.Touch(block, access);
    }
    CutBack(&served);
    return served;
  }

 private:
  // The tier first: what it gives up is not worth a write.
  void CutBack(ServedRequest* served) {
    while (all_.full()) {
      const Block victim = all_.Victim();
      all_.Remove(victim);
      if (!has_nvme_) continue;
      if (ram_.Holds(victim)) ram_.Remove(victim);
      on_nvme_[victim] = false;
    }
    while (has_nvme_ && ram_.full()) {
      const Block victim = ram_.Victim();
      ram_.Remove(victim);
      if (!on_nvme_[victim]) ++served->written;
      on_nvme_[victim] = true;
    }
  }

  RequestWalk walk_;
  bool has_nvme_;
  Held all_, ram_;
  std::vector<bool> on_nvme_;  // by block
};

}  // namespace

std::vector<ServedRequest> ReplayTiers(const PrefixTrace& trace, const TierReplayOptions& options) {
  INCIPIT_CHECK(options.capacity_blocks > 0 && options.ram_blocks > 0, "tiers need room for a block");
  Replay replay(trace, options);
  std::vector<ServedRequest> served;
  served.reserve(trace.requests().size());
  for (const PrefixTrace::Request& request : trace.requests()) {
    served.push_back(replay.Serve(request));
    if (options.progress && served.size() % kProgressRequests == 0) options.progress(served.size());
  }
  return served;
}

}  // namespace incipit::bench
