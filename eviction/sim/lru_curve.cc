#include "eviction/sim/lru_curve.h"

#include <algorithm>

namespace incipit {
namespace {

constexpr size_t kProgressRequests = 4096;
constexpr uint32_t kNotTouched = UINT32_MAX;

// Sums of counts over ranges of requests.
class FenwickTree {
 public:
  explicit FenwickTree(size_t size) : sums_(size + 1) {}
  void Add(size_t at, int64_t amount) {
    for (++at; at < sums_.size(); at += at & (~at + 1)) sums_[at] += amount;
  }
  int64_t SumBefore(size_t end) const {
    int64_t sum = 0;
    for (; end > 0; end -= end & (~end + 1)) sum += sums_[end];
    return sum;
  }

 private:
  std::vector<int64_t> sums_;
};

class Stack {
 public:
  explicit Stack(const PrefixTrace& trace)
      : counts_(trace.requests().size()),
        last_touch_(trace.unique_blocks(), kNotTouched),
        first_left_(trace.requests().size()) {}

  // Leading blocks of the chain that caches of the capacities hit; hits[i] belongs to capacities[i].
  void Measure(const std::vector<PrefixTrace::Block>& chain, std::span<const uint64_t> capacities,
               std::vector<uint32_t>* hits) const {
    std::fill(hits->begin(), hits->end(), 0);
    for (size_t begin = 0; begin < chain.size();) {
      const uint32_t touch = last_touch_[chain[begin]];
      if (touch == kNotTouched) return;
      const size_t end = EndOfRun(chain, begin);
      // Blocks of later requests, then those of this run; the run begins where what is left of its request begins.
      const auto newer = static_cast<uint64_t>(total_ - counts_.SumBefore(touch + 1));
      const uint64_t shallower = begin - first_left_[touch];
      bool any = false;
      for (size_t i = 0; i < capacities.size(); ++i) {
        if ((*hits)[i] != begin || capacities[i] <= newer + shallower) continue;
        const uint64_t held = capacities[i] - newer - shallower;
        (*hits)[i] = static_cast<uint32_t>(begin + std::min<uint64_t>(held, end - begin));
        any = any || (*hits)[i] == end;
      }
      if (!any) return;
      begin = end;
    }
  }

  void Touch(const std::vector<PrefixTrace::Block>& chain, uint32_t request) {
    for (size_t begin = 0; begin < chain.size();) {
      const uint32_t touch = last_touch_[chain[begin]];
      const size_t end = EndOfRun(chain, begin);
      if (touch != kNotTouched) {
        counts_.Add(touch, -static_cast<int64_t>(end - begin));
        total_ -= static_cast<int64_t>(end - begin);
        first_left_[touch] = static_cast<uint32_t>(end);
      }
      begin = end;
    }
    for (const PrefixTrace::Block block : chain) last_touch_[block] = request;
    counts_.Add(request, static_cast<int64_t>(chain.size()));
    total_ += static_cast<int64_t>(chain.size());
  }

 private:
  size_t EndOfRun(const std::vector<PrefixTrace::Block>& chain, size_t begin) const {
    size_t end = begin + 1;
    while (end < chain.size() && last_touch_[chain[end]] == last_touch_[chain[begin]]) ++end;
    return end;
  }

  FenwickTree counts_;  // by request: blocks that it touched last
  int64_t total_ = 0;
  std::vector<uint32_t> last_touch_;  // by block
  std::vector<uint32_t> first_left_;  // by request: the blocks of its chain before were touched by later ones
};

}  // namespace

std::vector<HitTotals> SimulateLru(const PrefixTrace& trace, std::span<const uint64_t> capacities,
                                   const CostModel& cost, const std::function<void(uint64_t)>& progress) {
  std::vector<HitTotals> totals(capacities.size());
  std::vector<uint32_t> hits(capacities.size());
  std::vector<PrefixTrace::Block> chain;
  Stack stack(trace);
  for (size_t i = 0; i < trace.requests().size(); ++i) {
    const PrefixTrace::Request& request = trace.requests()[i];
    trace.ChainOf(request, &chain);
    stack.Measure(chain, capacities, &hits);
    for (size_t size = 0; size < totals.size(); ++size) totals[size].Add(trace, request, hits[size], cost);
    stack.Touch(chain, static_cast<uint32_t>(i));
    if (progress && i % kProgressRequests == 0) progress(i);
  }
  return totals;
}

}  // namespace incipit
