#include "bench/plan/sizing/tier_replay.h"

#include <gtest/gtest.h>

#include "eviction/policies.h"
#include "eviction/sim/policy_sim.h"
#include "tests/support/small_trace.h"

namespace incipit::bench {
namespace {

PrefixTrace TraceOf(const std::vector<std::vector<uint64_t>>& prompts) {
  PrefixTrace trace(10);
  uint64_t time_ms = 0;
  for (const std::vector<uint64_t>& ids : prompts) trace.Add(time_ms++, 10 * ids.size(), 1, ids);
  trace.Finish();
  return trace;
}

PrefixTrace Conversations() {
  PrefixTrace trace(kSmallTraceBlockTokens);
  for (const SmallTraceRequest& request : SmallTraceRequests()) {
    trace.Add(request.timestamp_ms, request.input_tokens, 9, request.ids);
  }
  trace.Finish();
  return trace;
}

TierReplayOptions Options(const std::string& policy, uint64_t capacity, uint64_t ram) {
  return {.capacity_blocks = capacity, .ram_blocks = ram, .make_policy = [policy](uint64_t blocks) {
            return *MakePolicy(policy, {.capacity_blocks = blocks, .seed = 5, .cost = CostModelOf("deepseek-v3")});
          }};
}

TEST(TierReplayTest, CountsWhatCountingByHandGives) {
  // Two blocks in RAM, two more on NVMe.
  const PrefixTrace trace = TraceOf({{1, 2}, {3, 4}, {1, 2}, {3, 4}, {5, 6, 7}, {1}});
  const std::vector<ServedRequest> served = ReplayTiers(trace, Options("lru", 4, 2));
  ASSERT_EQ(served.size(), 6u);
  const uint32_t expected[6][4] = {{0, 0, 2, 0},  // RAM hits, NVMe hits, stored, written
                                   {0, 0, 2, 2},  // 1 2 go to NVMe
                                   {0, 2, 0, 2},  // come back and keep their copies; 3 4 are written
                                   {0, 2, 0, 0},  // 1 2 leave RAM: copies are there
                                   {0, 0, 3, 1},  // 1 2 are evicted and 4; of 5 6 7 one does not fit in RAM
                                   {0, 0, 1, 1}};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(served[i].ram_hits, expected[i][0]) << i;
    EXPECT_EQ(served[i].nvme_hits, expected[i][1]) << i;
    EXPECT_EQ(served[i].stored, expected[i][2]) << i;
    EXPECT_EQ(served[i].written, expected[i][3]) << i;
  }
}

TEST(TierReplayTest, AllInRamWritesNothing) {
  const PrefixTrace trace = TraceOf({{1, 2, 3}, {4, 5}, {1, 2, 3}});
  for (const ServedRequest& served : ReplayTiers(trace, Options("lru", 5, 5))) {
    EXPECT_EQ(served.nvme_hits, 0u);
    EXPECT_EQ(served.written, 0u);
  }
}

// However the tier is split, it hits as a whole what the simulation of one cache says, and a block is written at most
// once for each time that it is stored.
TEST(TierReplayTest, TiersTogetherHitWhatOneCacheOfTheirSizeHits) {
  const PrefixTrace trace = Conversations();
  const uint64_t capacity = trace.unique_blocks() / 20;
  for (const std::string& policy : PolicyNames()) {
    const TierReplayOptions options = Options(policy, capacity, capacity / 5);
    const HitTotals whole = SimulatePolicy(trace, {.capacity_blocks = capacity, .cost = CostModelOf("deepseek-v3")},
                                           [&](size_t blocks, uint32_t) { return options.make_policy(blocks); })
                                .totals;
    uint64_t hits = 0, stored = 0, written = 0;
    for (const ServedRequest& served : ReplayTiers(trace, options)) {
      hits += served.ram_hits + served.nvme_hits;
      stored += served.stored;
      written += served.written;
    }
    EXPECT_EQ(hits, whole.hit_blocks) << policy;
    EXPECT_EQ(stored, whole.inserted_blocks) << policy;
    EXPECT_LE(written, stored) << policy;
    EXPECT_GT(written, 0u) << policy;
  }
}

// LRU has the stack property: what is in RAM is what a cache of that size alone would hold.
TEST(TierReplayTest, RamOfLruHitsWhatItWouldHitAlone) {
  const PrefixTrace trace = Conversations();
  const uint64_t capacity = trace.unique_blocks() / 10, ram = capacity / 7;
  uint64_t ram_hits = 0, alone = 0;
  for (const ServedRequest& served : ReplayTiers(trace, Options("lru", capacity, ram))) ram_hits += served.ram_hits;
  for (const ServedRequest& served : ReplayTiers(trace, Options("lru", ram, ram))) alone += served.ram_hits;
  EXPECT_EQ(ram_hits, alone);
}

}  // namespace
}  // namespace incipit::bench
