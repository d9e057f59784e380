// The policy against what was measured on a recorded chat workload, and against a second implementation of itself.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "eviction/sim/tier_sim.h"
#include "gtest/gtest.h"

namespace incipit {
namespace {

constexpr uint64_t kBlockTokens = 512;
constexpr double kPercents[] = {1, 2, 5, 10, 20, 50};
// Token hit percentages of LRU that touches the tail first, measured on the conversation trace.
constexpr double kMeasured[] = {5.3, 8.1, 20.0, 28.4, 35.2, 37.0};

std::string TracePath() {
  const char* path = std::getenv("INCIPIT_TRACE");
  return path != nullptr ? path : INCIPIT_SOURCE_DIR "/../shared/traces/mooncake_conversation.jsonl";
}

struct Workload {
  Trace trace;
  bool recorded = false;
  size_t unique_blocks = 0;
};

const Workload& TheWorkload() {
  static const Workload workload = [] {
    Workload made;
    std::ifstream file(TracePath());
    if (file) {
      const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      absl::StatusOr<Trace> trace = ParseTrace(text);
      EXPECT_TRUE(trace.ok()) << TracePath() << ": " << trace.status();
      if (trace.ok()) made.trace = *std::move(trace);
      made.recorded = true;
    } else {
      std::printf("conv_trace: no file %s (set INCIPIT_TRACE); using a generated trace, without the measured figures\n",
                  TracePath().c_str());
      made.trace = MakeConversationTrace({.seed = 1, .sessions = 800}, kBlockTokens);
    }
    made.unique_blocks = CountUniqueBlocks(made.trace);
    return made;
  }();
  return workload;
}

size_t BlocksFor(double percent) {
  return static_cast<size_t>(std::lround(static_cast<double>(TheWorkload().unique_blocks) * percent / 100));
}

// The first `requests` of the workload.
std::span<const TraceRequest> Beginning(size_t requests) {
  return std::span(TheWorkload().trace).first(std::min(requests, TheWorkload().trace.size()));
}

SimResult Simulate(const std::vector<double>& tier_percents, size_t requests = SIZE_MAX) {
  std::vector<SimTier> tiers;
  for (const double percent : tier_percents) tiers.push_back({MakeLeafFirstLru(), BlocksFor(percent)});
  TierSim sim(std::move(tiers), kBlockTokens);
  for (const TraceRequest& request : Beginning(requests)) sim.Replay(request);
  return sim.result();
}

// The same cache written down plainly: a sorted set of (last request, deeper first), cut to size.
double ReferenceHitRatio(size_t capacity_blocks, size_t requests) {
  std::map<uint64_t, std::pair<size_t, size_t>> held;  // hash -> (last request, depth)
  std::set<std::tuple<size_t, int64_t, uint64_t>> order;
  uint64_t input_tokens = 0;
  uint64_t hit_tokens = 0;
  size_t request = 0;
  for (const TraceRequest& current : Beginning(requests)) {
    ++request;
    size_t hits = 0;
    while (hits < current.block_hashes.size() && held.contains(current.block_hashes[hits])) ++hits;
    for (size_t depth = 0; depth < current.block_hashes.size(); ++depth) {
      const uint64_t hash = current.block_hashes[depth];
      if (const auto found = held.find(hash); found != held.end()) {
        order.erase({found->second.first, -static_cast<int64_t>(found->second.second), hash});
      }
      held[hash] = {request, depth};
      order.insert({request, -static_cast<int64_t>(depth), hash});
      if (order.size() <= capacity_blocks) continue;
      held.erase(std::get<2>(*order.begin()));
      order.erase(order.begin());
    }
    input_tokens += current.input_tokens;
    hit_tokens += std::min(hits * kBlockTokens, current.input_tokens);
  }
  return static_cast<double>(hit_tokens) / static_cast<double>(input_tokens);
}

TEST(ConvTraceTest, LeafFirstLruHitsAsMeasured) {
  double previous = 0;
  for (size_t i = 0; i < std::size(kPercents); ++i) {
    const double percent = 100 * Simulate({kPercents[i]}).TokenHitRatio();
    std::printf("conv_trace: %2.0f %% of %zu blocks: %.2f %% of tokens hit\n", kPercents[i],
                TheWorkload().unique_blocks, percent);
    EXPECT_GE(percent, previous);  // LRU has no anomaly: more room, no fewer hits
    previous = percent;
    if (TheWorkload().recorded) {
      EXPECT_NEAR(percent, kMeasured[i], 0.3) << kPercents[i] << " %";
    }
  }
  EXPECT_GT(previous, 10);
}

TEST(ConvTraceTest, AgreesWithAPlainSortedSet) {
  constexpr size_t kRequests = 3000;  // enough to overflow both sizes; the reference is slow
  for (const double percent : {2.0, 5.0}) {
    // Blocks of one rank may go in any order, which is all that may differ; a chain has one block per depth.
    const double expected = ReferenceHitRatio(BlocksFor(percent), kRequests);
    EXPECT_NEAR(Simulate({percent}, kRequests).TokenHitRatio(), expected, 1e-9) << percent << " %";
    EXPECT_GT(expected, 0.01);
  }
}

TEST(ConvTraceTest, TwoExclusiveTiersHitLikeOneOfTheirSum) {
  const SimResult one = Simulate({10});
  const SimResult two = Simulate({2, 8});
  std::printf(
      "conv_trace: 2 %% + 8 %%: %.2f %% of tokens hit, of 10 %%: %.2f %%; hit blocks %llu + %llu, demoted %llu\n",
      100 * two.TokenHitRatio(), 100 * one.TokenHitRatio(), static_cast<unsigned long long>(two.hit_blocks[0]),
      static_cast<unsigned long long>(two.hit_blocks[1]), static_cast<unsigned long long>(two.demoted_blocks[1]));
  EXPECT_NEAR(two.TokenHitRatio(), one.TokenHitRatio(), 0.001);
  EXPECT_GT(two.hit_blocks[1], two.hit_blocks[0] / 10) << "the second tier hardly serves";
}

}  // namespace
}  // namespace incipit
