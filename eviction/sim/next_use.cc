#include "eviction/sim/next_use.h"

#include <algorithm>

namespace incipit {

NextUse::NextUse(const PrefixTrace& trace) : begins_(trace.requests().size() + 1) {
  std::vector<uint32_t> next(trace.unique_blocks(), kNever);
  std::vector<PrefixTrace::Block> chain;
  // Filled from the last request and, within it, from the last piece; then turned round.
  for (size_t i = trace.requests().size(); i-- > 0;) {
    trace.ChainOf(trace.requests()[i], &chain);
    const size_t first = pieces_.size();
    for (size_t depth = chain.size(); depth-- > 0;) {
      uint32_t& use = next[chain[depth]];
      if (pieces_.size() == first || pieces_.back().request != use) pieces_.push_back({0, use});
      pieces_.back().begin = static_cast<uint32_t>(depth);
      use = static_cast<uint32_t>(i);
    }
    begins_[i] = pieces_.size();
  }
  std::reverse(pieces_.begin(), pieces_.end());
  for (uint64_t& begin : begins_) begin = pieces_.size() - begin;
  begins_.back() = pieces_.size();
}

}  // namespace incipit
