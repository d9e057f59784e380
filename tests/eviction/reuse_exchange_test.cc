#include "eviction/reuse_exchange.h"

#include <gtest/gtest.h>

#include "eviction/reuse_model.h"

namespace incipit {
namespace {

TEST(ReuseExchange, EachGetsItsOwnAndWhatOthersToldLast) {
  ReuseExchange exchange;
  const size_t a = exchange.Join(), b = exchange.Join();
  ReuseCounts first(4);
  first.Of(2).ended[5] = 3;
  first.groups = 7;
  exchange.Trade(a, &first);
  EXPECT_EQ(first.Of(2).ended[5], 3);
  ReuseCounts second(4);
  second.Of(2).ended[5] = 1;
  second.Of(3).waiting[0] = 2;
  second.groups = 1;
  exchange.Trade(b, &second);
  EXPECT_EQ(second.Of(2).ended[5], 4);
  EXPECT_EQ(second.groups, 8u);
  ReuseCounts again(4);
  again.Of(2).ended[5] = 10;
  exchange.Trade(a, &again);
  EXPECT_EQ(again.Of(2).ended[5], 11) << "what it told before is replaced, not added";
  EXPECT_EQ(again.Of(3).waiting[0], 2);
}

// A model that saw nothing of a class itself values it as the one that did.
TEST(ReuseExchange, ModelsLearnFromEachOther) {
  const auto exchange = std::make_shared<ReuseExchange>();
  ReuseModel taught(1 << 18, exchange), learner(1 << 18, exchange);
  const ReuseModel::ClassId klass = ReuseModel::ClassOf({.turn = 2, .touches = 2});
  for (int i = 0; i < 4096; ++i) {
    taught.Begin();
    taught.Ended(klass, taught.epoch(), 1'000'000'000);
  }
  for (int i = 0; i < 64; ++i) learner.Begin();
  EXPECT_NEAR(learner.Index(klass, 0), taught.Index(klass, 0), 0.02f * taught.Index(klass, 0));
  ReuseModel alone(1 << 18);
  for (int i = 0; i < 4096; ++i) alone.Begin();
  EXPECT_GT(std::abs(alone.Index(klass, 0) - taught.Index(klass, 0)), 0.5f * taught.Index(klass, 0));
}

}  // namespace
}  // namespace incipit
