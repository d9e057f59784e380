#include "client/src/core/load_pace.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(LoadPaceTest, ExpectsWhatWasSeenAndForgetsIt) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  LoadPace pace;
  EXPECT_EQ(pace.ExpectedNs(1000, 5), 0) << "nothing is known";
  pace.OnLoad(1000, 8000, kSecondNs);
  EXPECT_DOUBLE_EQ(pace.ExpectedNs(1000, kSecondNs), 8000);
  EXPECT_DOUBLE_EQ(pace.ExpectedNs(500, kSecondNs), 4000);
  EXPECT_DOUBLE_EQ(pace.ExpectedNs(1000, 3 * kSecondNs), 2000) << "halves every second";
  pace.OnLoad(1000, 20'000, kSecondNs);
  EXPECT_GT(pace.ExpectedNs(1000, kSecondNs), 8000);
  EXPECT_LT(pace.ExpectedNs(1000, kSecondNs), 20'000);
  pace.OnLoad(0, 5, kSecondNs);
  pace.OnLoad(5, 0, kSecondNs);
  EXPECT_GT(pace.ExpectedNs(1000, kSecondNs), 8000) << "samples that say nothing";
}

}  // namespace
}  // namespace incipit
