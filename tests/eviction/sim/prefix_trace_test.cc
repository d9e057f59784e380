#include "eviction/sim/prefix_trace.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace incipit {
namespace {

using Ids = std::vector<uint64_t>;

std::vector<PrefixTrace::Block> ChainOf(const PrefixTrace& trace, size_t request) {
  std::vector<PrefixTrace::Block> chain;
  trace.ChainOf(trace.requests()[request], &chain);
  return chain;
}

TEST(PrefixTraceTest, EqualOpeningsAreOneBlockAndEqualContentsAreNot) {
  PrefixTrace trace(512);
  trace.Add(0, 1536, 1, Ids{5, 7, 9});
  trace.Add(1, 1536, 1, Ids{5, 7, 8});
  trace.Add(2, 1024, 1, Ids{6, 7});  // the 7 is another: it follows 6
  trace.Finish();
  EXPECT_EQ(trace.unique_blocks(), 6u);
  EXPECT_EQ(trace.block_references(), 8u);
  EXPECT_EQ(trace.longest_chain(), 3u);
  EXPECT_EQ(ChainOf(trace, 0)[1], ChainOf(trace, 1)[1]);
  EXPECT_NE(ChainOf(trace, 0)[2], ChainOf(trace, 1)[2]);
  EXPECT_NE(ChainOf(trace, 0)[1], ChainOf(trace, 2)[1]);
}

TEST(PrefixTraceTest, ChainsComeBackAsTheyWereAdded) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::mt19937_64 random(seed);
    PrefixTrace trace(16);
    std::vector<Ids> added;
    std::map<Ids, PrefixTrace::Block> block_of;  // by opening
    for (uint64_t i = 0; i < 2000; ++i) {
      Ids ids;
      for (uint64_t length = random() % 12; length > 0; --length) ids.push_back(random() % 3);
      trace.Add(i, 16 * ids.size(), 0, ids);
      added.push_back(ids);
    }
    trace.Finish();
    for (size_t i = 0; i < added.size(); ++i) {
      const std::vector<PrefixTrace::Block> chain = ChainOf(trace, i);
      ASSERT_EQ(chain.size(), added[i].size());
      for (size_t depth = 0; depth < chain.size(); ++depth) {
        const Ids opening(added[i].begin(), added[i].begin() + static_cast<std::ptrdiff_t>(depth) + 1);
        ASSERT_EQ(block_of.try_emplace(opening, chain[depth]).first->second, chain[depth]) << "seed " << seed;
      }
    }
    EXPECT_EQ(trace.unique_blocks(), block_of.size());
  }
}

TEST(PrefixTraceTest, RequestsAreSortedByTimeAndCountedIfTheyWereNot) {
  PrefixTrace trace(512);
  trace.Add(5, 512, 1, Ids{1});
  trace.Add(3, 512, 2, Ids{2});
  trace.Add(9, 512, 3, Ids{3});
  trace.Add(3, 512, 4, Ids{4});
  trace.Finish();
  EXPECT_EQ(trace.out_of_order(), 2u);
  std::vector<uint32_t> order;
  for (const PrefixTrace::Request& request : trace.requests()) order.push_back(request.output_tokens);
  EXPECT_EQ(order, (std::vector<uint32_t>{2, 4, 1, 3}));
}

TEST(PrefixTraceTest, LastBlocksMayBePartlyFilledAndRequestsEmpty) {
  PrefixTrace trace(512);
  trace.Add(0, 700, 1, Ids{1, 2});
  trace.Add(0, 0, 1, Ids{});
  trace.Finish();
  EXPECT_EQ(trace.TokensOf(trace.requests()[0], 1), 512u);
  EXPECT_EQ(trace.TokensOf(trace.requests()[0], 2), 700u);
  EXPECT_EQ(trace.empty_requests(), 1u);
  EXPECT_TRUE(ChainOf(trace, 1).empty());
  EXPECT_EQ(trace.input_tokens(), 700u);
}

}  // namespace
}  // namespace incipit
