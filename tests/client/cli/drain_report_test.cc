#include "client/cli/drain_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using ::testing::HasSubstr;

wire::DrainReply Sample() {
  wire::DrainReply reply{.state = wire::DrainState::kMoving, .elapsed_ms = 2000};
  reply.progress = {{100, 100 << 20}, {30, 30 << 20}, {10, 10 << 20}, {5, 5 << 20}, {5, 5 << 20}};
  return reply;
}

TEST(DrainReportTest, ALineSaysHowFarHowFastAndHowLong) {
  const std::string line = DrainLine(Sample(), 15 << 20);
  EXPECT_THAT(line, HasSubstr("moving: 50 of 100 blocks, 50 MiB of 100 MiB; 30 MiB given, 15 MiB/s"));
  EXPECT_THAT(line, HasSubstr("50 blocks, 50 MiB to go; 2 s about 2 s left"));
}

TEST(DrainReportTest, BeforeAnythingIsKnownThereIsNoForecast) {
  const std::string line = DrainLine({.state = wire::DrainState::kMoving}, 0);
  EXPECT_EQ(line.find("about"), std::string::npos) << line;
}

TEST(DrainReportTest, TheSummaryAddsUp) {
  wire::DrainReply reply = Sample();
  reply.state = wire::DrainState::kLeft;
  reply.timed_out = true;
  const std::string text = DrainSummary(reply);
  EXPECT_THAT(text, HasSubstr("left after 2.0 s, before all was given"));
  EXPECT_THAT(text, ::testing::ContainsRegex("not reached +50 blocks +50 MiB"));
}

TEST(DrainReportTest, ScriptsGetNumbers) {
  const Json json = DrainJson("tcp://a:1", Sample(), 7);
  EXPECT_EQ(json["state"], "moving");
  EXPECT_EQ(json["total"]["blocks"], 100);
  EXPECT_EQ(json["moved"]["bytes"], 30 << 20);
  EXPECT_EQ(json["remaining"]["blocks"], 50);
  EXPECT_EQ(json["elapsed_s"], 2.0);
}

TEST(DrainReportTest, CountsThatDoNotAddUpAreNoneBelowZero) {
  wire::DrainReply reply = Sample();
  reply.progress.moved.blocks = 500;
  EXPECT_EQ(DrainJson("", reply, 0)["remaining"]["blocks"], 0);
}

}  // namespace
}  // namespace incipit
