#include "client/cli/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

TEST(ProgressBarTest, HalfWayIsHalfFull) {
  EXPECT_EQ(ProgressBar::Render({.label = "storing", .total = 200, .unit = "blocks"}, 100, 1.5),
            "storing [###############...............]  50 %  100/200 blocks  1.5 s");
}

TEST(ProgressBarTest, BytesAreShownAsSizes) {
  EXPECT_THAT(ProgressBar::Render({.label = "loading", .total = 4 << 20, .unit = "bytes"}, 1 << 20, 0),
              HasSubstr("1 MiB/4 MiB"));
}

TEST(ProgressBarTest, MoreThanTheTotalStaysWithinTheBar) {
  EXPECT_THAT(ProgressBar::Render({.label = "x", .total = 10, .unit = "blocks"}, 20, 0), HasSubstr("100 %"));
}

TEST(ProgressBarTest, WithoutTotalOnlyTheAmountIsShown) {
  EXPECT_EQ(ProgressBar::Render({.label = "replaying", .unit = "requests"}, 12, 2), "replaying  12 requests  2.0 s");
}

TEST(ProgressBarTest, FinishErasesTheLine) {
  std::string screen;
  {
    ProgressBar bar({.label = "x", .total = 2, .unit = "blocks"}, [&](const std::string& text) { screen += text; });
    bar.Add(1);
    EXPECT_THAT(screen, HasSubstr("1/2 blocks"));
  }
  EXPECT_THAT(screen, EndsWith("\r\033[K"));
}

TEST(ProgressBarTest, DisabledBarDrawsNothing) {
  std::string screen;
  ProgressBar bar({.label = "x", .total = 2, .unit = "blocks", .enabled = false},
                  [&](const std::string& text) { screen += text; });
  bar.Add(1);
  bar.Finish();
  EXPECT_EQ(screen, "");
}

TEST(ProgressBarTest, ManySmallStepsDrawRarely) {
  int drawn = 0;
  ProgressBar bar({.label = "x", .total = 10'000, .unit = "blocks"}, [&](const std::string&) { ++drawn; });
  const auto start = ProgressBar::Clock::now();
  for (int i = 0; i < 10'000; ++i) bar.Add(1);
  const double seconds = std::chrono::duration<double>(ProgressBar::Clock::now() - start).count();
  EXPECT_LE(drawn, 1 + seconds * 10);
}

}  // namespace
}  // namespace incipit
