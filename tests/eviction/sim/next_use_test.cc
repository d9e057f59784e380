#include "eviction/sim/next_use.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/eviction/sim/random_trace.h"

namespace incipit {
namespace {

TEST(NextUseTest, AgreesWithASearchThroughTheRest) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const PrefixTrace trace = MakeRandomTrace(seed, {.requests = 120});
    const NextUse next_use(trace);
    std::vector<std::vector<PrefixTrace::Block>> chains(trace.requests().size());
    for (size_t i = 0; i < chains.size(); ++i) trace.ChainOf(trace.requests()[i], &chains[i]);
    for (size_t i = 0; i < chains.size(); ++i) {
      const auto pieces = next_use.Of(i);
      ASSERT_EQ(pieces.empty(), chains[i].empty());
      for (size_t depth = 0, piece = 0; depth < chains[i].size(); ++depth) {
        uint32_t expected = NextUse::kNever;
        for (size_t later = i + 1; later < chains.size() && expected == NextUse::kNever; ++later) {
          if (std::count(chains[later].begin(), chains[later].end(), chains[i][depth]) > 0) {
            expected = static_cast<uint32_t>(later);
          }
        }
        while (piece + 1 < pieces.size() && pieces[piece + 1].begin <= depth) ++piece;
        ASSERT_EQ(pieces[piece].request, expected) << "seed " << seed << ", request " << i << ", block " << depth;
      }
    }
  }
}

}  // namespace
}  // namespace incipit
