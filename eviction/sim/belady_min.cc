#include "eviction/sim/belady_min.h"

#include <algorithm>
#include <queue>
#include <vector>

#include "cache/base/check.h"

namespace incipit {
namespace {

constexpr size_t kProgressRequests = 4096;

// Held blocks of the chain of a request to come: those at [begin, end).
struct Range {
  uint32_t begin = 0, end = 0;
  uint32_t size() const { return end - begin; }
};

class MinCache {
 public:
  MinCache(size_t requests, uint64_t capacity) : ranges_(requests), capacity_(capacity) {}

  // The request is being served: what waited for it is free to go. Returns its leading hits.
  uint32_t Take(size_t request) {
    const Range range = ranges_[request];
    held_ -= range.size();
    ranges_[request] = {};
    return range.begin == 0 ? range.end : 0;
  }

  void Keep(uint32_t for_request, Range range) {
    Range& kept = ranges_[for_request];
    if (kept.size() == 0) {
      kept = range;
      by_use_.push(for_request);
    } else {
      // What was kept for the request before lies right behind: its blocks shallower than that were touched since.
      INCIPIT_CHECK(range.end == kept.begin, "blocks with one next use are one run of its chain");
      kept.begin = range.begin;
    }
    held_ += range.size();
  }

  void CutBack() {
    while (held_ > capacity_) {
      const uint32_t last = by_use_.top();
      Range& range = ranges_[last];
      const auto excess = static_cast<uint32_t>(std::min<uint64_t>(held_ - capacity_, range.size()));
      range.end -= excess;
      held_ -= excess;
      if (range.size() > 0) return;
      range = {};
      by_use_.pop();
    }
  }

 private:
  std::vector<Range> ranges_;  // by request
  uint64_t capacity_;
  uint64_t held_ = 0;
  // Requests with a range that is not empty, the latest first; those that were served stay until they surface.
  std::priority_queue<uint32_t> by_use_;
};

}  // namespace

HitTotals SimulateMin(const PrefixTrace& trace, const NextUse& next_use, uint64_t capacity_blocks,
                      const CostModel& cost, const std::function<void(uint64_t)>& progress) {
  HitTotals totals;
  MinCache cache(trace.requests().size(), capacity_blocks);
  for (size_t i = 0; i < trace.requests().size(); ++i) {
    const PrefixTrace::Request& request = trace.requests()[i];
    totals.Add(trace, request, cache.Take(i), cost);
    const auto pieces = next_use.Of(i);
    for (size_t piece = 0; piece < pieces.size(); ++piece) {
      if (pieces[piece].request == NextUse::kNever) continue;
      const uint32_t end = piece + 1 < pieces.size() ? pieces[piece + 1].begin : request.blocks;
      cache.Keep(pieces[piece].request, {pieces[piece].begin, end});
    }
    cache.CutBack();
    if (progress && i % kProgressRequests == 0) progress(i);
  }
  return totals;
}

}  // namespace incipit
