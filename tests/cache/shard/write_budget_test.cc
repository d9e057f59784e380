#include "cache/shard/write_budget.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;
constexpr uint64_t kGb = 1'000'000'000;

TEST(WriteBudgetTest, FillsUpEvenlyAndHoldsAnHour) {
  WriteBudget budget(24 * kGb, 5);
  EXPECT_TRUE(budget.limited());
  EXPECT_DOUBLE_EQ(budget.Level(5), 1);
  budget.Spend(kGb);
  EXPECT_NEAR(budget.Level(5), 0, 1e-9);
  EXPECT_NEAR(budget.Level(5 + kHourNs / 4), 0.25, 1e-9);
  EXPECT_NEAR(budget.Level(5 + 9 * kHourNs), 1, 1e-9);
}

TEST(WriteBudgetTest, WhatIsSpentBeyondItIsOwed) {
  WriteBudget budget(24 * kGb, 0);
  budget.Spend(3 * kGb);
  EXPECT_EQ(budget.Level(kHourNs), 0);
  EXPECT_EQ(budget.Level(2 * kHourNs), 0);
  EXPECT_NEAR(budget.Level(2 * kHourNs + kHourNs / 2), 0.5, 1e-9);
  EXPECT_NEAR(budget.Level(kHourNs), 0.5, 1e-9) << "a clock that goes back changes nothing";
}

TEST(WriteBudgetTest, WithoutALimitItIsAlwaysFull) {
  WriteBudget budget(0, 0);
  EXPECT_FALSE(budget.limited());
  budget.Spend(1000 * kGb);
  EXPECT_EQ(budget.Level(0), 1);
}

TEST(WrittenRequestsTest, WhatComesBeforeAWrittenBlockIsKnown) {
  WrittenRequests requests;
  EXPECT_FALSE(requests.HasDeeper(7, 0));
  requests.Note(7, 100);
  EXPECT_TRUE(requests.HasDeeper(7, 99));
  EXPECT_FALSE(requests.HasDeeper(7, 100));
  EXPECT_FALSE(requests.HasDeeper(8, 0));
}

}  // namespace
}  // namespace incipit
