#include "bench/replay/plan_forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit::bench {
namespace {

using ::testing::HasSubstr;

constexpr char kPlan[] = R"({"block_tokens": 512, "requests": 10, "unique_blocks": 100, "rows": [
  {"policy": "lru", "size_percent": 2, "token_hit_ratio": 0.25},
  {"policy": "lru", "size_percent": 10.0, "token_hit_ratio": 0.5},
  {"policy": "auto", "size_percent": 10, "token_hit_ratio": 0.75}]})";

PlanQuestion Ask(const std::string& policy, double percent) {
  return {.policy = policy, .size_percent = percent, .block_tokens = 512, .requests = 10, .unique_blocks = 100};
}

TEST(PlanForecast, FindsTheRow) {
  EXPECT_EQ(*PredictedHitRatio(kPlan, Ask("lru", 2)), 0.25);
  EXPECT_EQ(*PredictedHitRatio(kPlan, Ask("lru", 10)), 0.5);
  EXPECT_EQ(*PredictedHitRatio(kPlan, Ask("auto", 10)), 0.75);
}

TEST(PlanForecast, MissingRowNamesThoseThereAre) {
  const absl::Status status = PredictedHitRatio(kPlan, Ask("auto", 2)).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(status.message(), HasSubstr("auto at 2 %"));
  EXPECT_THAT(status.message(), HasSubstr("lru 2 %, lru 10 %, auto 10 %"));
}

TEST(PlanForecast, PlanOfAnotherTraceIsRefused) {
  PlanQuestion question = Ask("lru", 2);
  question.requests = 11;
  const absl::Status status = PredictedHitRatio(kPlan, question).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(status.message(), HasSubstr("requests is 10, here it is 11"));
}

TEST(PlanForecast, BadReportsAreErrors) {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"rows": 3})", R"({"rows": []})",
                           R"({"block_tokens": -1, "requests": 10, "unique_blocks": 100, "rows": []})",
                           R"({"block_tokens": 512, "requests": 10, "unique_blocks": 100, "rows": [1]})",
                           R"({"block_tokens": 512, "requests": 10, "unique_blocks": 100,
                               "rows": [{"policy": "lru", "size_percent": 2, "token_hit_ratio": 7}]})"}) {
    EXPECT_FALSE(PredictedHitRatio(text, Ask("lru", 2)).ok()) << text;
  }
  EXPECT_TRUE(absl::IsNotFound(ReadPlanFile("/nonexistent/plan.json").status()));
}

}  // namespace
}  // namespace incipit::bench
