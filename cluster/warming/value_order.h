// Blocks from the most valued to the least: last used first, and of one request the openings before what follows them.
// In that order every part that was given away is a usable opening.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cache/base/types.h"

namespace incipit {

struct ValuedBlock {
  uint64_t stamp_ns = 0;
  uint64_t hash = 0;  // tells a block from a later one under the same id
  BlockId id = kNoBlock;
  uint32_t depth_tokens = 0;
  uint8_t attempts = 0;
};

// 32 bytes a block. One thread. Sorted in runs, so that no call takes long however many blocks there are: Add costs
// O(log kRunBlocks) a block and a millisecond for every kRunBlocks of them, Next O(log runs).
class ValueOrder {
 public:
  static constexpr size_t kRunBlocks = 8192;

  void Add(const ValuedBlock& block) {
    if (runs_.empty() || runs_.back().blocks.size() >= kRunBlocks) {
      Finish();
      runs_.emplace_back();
    }
    runs_.back().blocks.push_back(block);
  }
  // REQUIRES: no Add follows.
  void Finish() {
    if (runs_.empty() || runs_.back().sorted) return;
    Run& run = runs_.back();
    std::sort(run.blocks.begin(), run.blocks.end(), Worthier);
    run.sorted = true;
    heap_.push_back(runs_.size() - 1);
    std::push_heap(heap_.begin(), heap_.end(), HeapOrder{this});
  }
  bool empty() const { return heap_.empty(); }
  // REQUIRES: Finish() was called, not empty().
  ValuedBlock Next() {
    std::pop_heap(heap_.begin(), heap_.end(), HeapOrder{this});
    Run& run = runs_[heap_.back()];
    const ValuedBlock block = run.blocks[run.next++];
    if (run.next == run.blocks.size()) {
      run.blocks = {};
      heap_.pop_back();
    } else {
      std::push_heap(heap_.begin(), heap_.end(), HeapOrder{this});
    }
    return block;
  }

 private:
  struct Run {
    std::vector<ValuedBlock> blocks;
    size_t next = 0;
    bool sorted = false;
  };
  static bool Worthier(const ValuedBlock& a, const ValuedBlock& b) {
    return a.stamp_ns != b.stamp_ns ? a.stamp_ns > b.stamp_ns : a.depth_tokens < b.depth_tokens;
  }
  const ValuedBlock& HeadOf(size_t run) const { return runs_[run].blocks[runs_[run].next]; }
  struct HeapOrder {
    const ValueOrder* order;
    bool operator()(size_t a, size_t b) const { return Worthier(order->HeadOf(b), order->HeadOf(a)); }
  };
  std::vector<Run> runs_;
  std::vector<size_t> heap_;  // runs that have blocks left
};

}  // namespace incipit
