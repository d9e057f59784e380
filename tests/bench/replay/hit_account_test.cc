#include "bench/replay/hit_account.h"

#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

TEST(HitAccountTest, PartlyFilledLastBlockCountsItsTokensOnly) {
  HitAccount account;
  const TraceRequest request{0, 1030, 0, {1, 2, 3}};
  account.Add(request, 3, 512);
  EXPECT_EQ(account.hit_tokens, 1030u);
  account.Add(request, 2, 512);
  EXPECT_EQ(account.hit_tokens, 1030u + 1024);
  account.Add(request, 0, 512);
  EXPECT_EQ(account.input_tokens, 3u * 1030);
  EXPECT_EQ(account.hit_blocks, 5u);
  EXPECT_EQ(account.blocks, 9u);
  EXPECT_DOUBLE_EQ(account.TokenHitRatio(), 2054.0 / 3090);
  EXPECT_DOUBLE_EQ(account.BlockHitRatio(), 5.0 / 9);
}

TEST(HitAccountTest, EmptyAccountHasRatioZero) {
  EXPECT_EQ(HitAccount().TokenHitRatio(), 0);
  EXPECT_EQ(HitAccount().BlockHitRatio(), 0);
}

TEST(HitAccountTest, MergeAddsUp) {
  HitAccount a, b;
  a.Add({0, 512, 0, {1}}, 1, 512);
  b.Add({0, 1536, 0, {1, 2, 3}}, 0, 512);
  a.Merge(b);
  EXPECT_EQ(a.requests, 2u);
  EXPECT_DOUBLE_EQ(a.TokenHitRatio(), 0.25);
}

}  // namespace
}  // namespace incipit::bench
