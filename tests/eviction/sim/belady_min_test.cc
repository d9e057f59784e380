#include "eviction/sim/belady_min.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "eviction/policies.h"
#include "eviction/sim/policy_sim.h"
#include "tests/eviction/sim/random_trace.h"

namespace incipit {
namespace {

// Block by block: evicts what is used again last, of those the deepest.
uint64_t PlainMinHits(const PrefixTrace& trace, const NextUse& next_use, size_t capacity) {
  std::set<std::tuple<uint32_t, uint32_t, PrefixTrace::Block>> held;  // next use, depth, block
  std::vector<std::pair<uint32_t, uint32_t>> place(trace.unique_blocks(), {0, 0});
  std::vector<bool> in(trace.unique_blocks(), false);
  std::vector<PrefixTrace::Block> chain;
  uint64_t hits = 0;
  for (size_t i = 0; i < trace.requests().size(); ++i) {
    trace.ChainOf(trace.requests()[i], &chain);
    size_t leading = 0;
    while (leading < chain.size() && in[chain[leading]]) ++leading;
    hits += leading;
    for (uint32_t depth = 0, piece = 0; depth < chain.size(); ++depth) {
      const auto pieces = next_use.Of(i);
      while (piece + 1 < pieces.size() && pieces[piece + 1].begin <= depth) ++piece;
      const PrefixTrace::Block block = chain[depth];
      if (in[block]) held.erase({place[block].first, place[block].second, block});
      place[block] = {pieces[piece].request, depth};
      held.insert({place[block].first, depth, block});
      in[block] = true;
    }
    while (held.size() > capacity) {
      in[std::get<2>(*held.rbegin())] = false;
      held.erase(std::prev(held.end()));
    }
  }
  return hits;
}

TEST(BeladyMinTest, HitsAsThePlainOne) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const PrefixTrace trace = MakeRandomTrace(seed);
    const NextUse next_use(trace);
    for (const size_t capacity : {1, 5, 20, 60, 100'000}) {
      EXPECT_EQ(SimulateMin(trace, next_use, capacity, {}).hit_blocks, PlainMinHits(trace, next_use, capacity))
          << "seed " << seed << ", capacity " << capacity;
    }
  }
}

TEST(BeladyMinTest, NoPolicyHitsMore) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const PrefixTrace trace = MakeRandomTrace(seed, {.requests = 1500});
    const NextUse next_use(trace);
    for (const std::string& name : PolicyNames()) {
      for (const size_t capacity : {10, 40, 120}) {
        const uint64_t hits =
            SimulatePolicy(trace, {.capacity_blocks = capacity}, [&](size_t blocks, uint32_t) {
              return *MakePolicy(name, {.capacity_blocks = blocks, .cost = CostModelOf("deepseek-v3")});
            }).totals.hit_blocks;
        EXPECT_LE(hits, SimulateMin(trace, next_use, capacity, {}).hit_blocks)
            << name << ", seed " << seed << ", capacity " << capacity;
      }
    }
  }
}

}  // namespace
}  // namespace incipit
