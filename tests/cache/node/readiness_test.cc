#include "cache/node/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ShardReport NvmeReport(uint16_t shard, NvmeState state) {
  ShardReport report;
  report.shard = shard;
  report.gauges.has_nvme = true;
  report.gauges.nvme.state = state;
  report.gauges.recovered = state != NvmeState::kRecovering;
  return report;
}

TEST(ReadinessTest, NodeThatServesIsReady) {
  const Readiness readiness = JudgeReadiness(NodePhase::kServing, 1, {NvmeReport(0, NvmeState::kServing)});
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(readiness.status, "serving");
  EXPECT_THAT(readiness.reasons, ElementsAre());
  const auto json = nlohmann::json::parse(readiness.json);
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["shards"][0]["nvme"], "serving");
}

TEST(ReadinessTest, SuspendedDeviceIsDegradedButReadyAndNamesTheCause) {
  ShardReport suspended = NvmeReport(1, NvmeState::kSuspended);
  suspended.gauges.nvme.last_error = "read at 4096: EIO";
  const Readiness readiness = JudgeReadiness(NodePhase::kServing, 2, {NvmeReport(0, NvmeState::kServing), suspended});
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(readiness.status, "degraded");
  EXPECT_THAT(readiness.reasons, ElementsAre(HasSubstr("shard 1")));
  EXPECT_THAT(readiness.reasons[0], HasSubstr("read at 4096: EIO"));
  EXPECT_EQ(nlohmann::json::parse(readiness.json)["shards"][1]["nvme_last_error"], "read at 4096: EIO");
}

TEST(ReadinessTest, RecoveringNodeIsReadyAndSaysHowFar) {
  ShardReport recovering = NvmeReport(0, NvmeState::kRecovering);
  recovering.gauges.nvme.recovered_records = 77;
  const Readiness readiness = JudgeReadiness(NodePhase::kServing, 1, {recovering});
  EXPECT_TRUE(readiness.ready);
  EXPECT_EQ(readiness.status, "recovering");
  EXPECT_THAT(readiness.reasons, ElementsAre(HasSubstr("77 records")));
}

TEST(ReadinessTest, DegradedOutranksRecovering) {
  const Readiness readiness = JudgeReadiness(
      NodePhase::kServing, 2, {NvmeReport(0, NvmeState::kSuspended), NvmeReport(1, NvmeState::kRecovering)});
  EXPECT_EQ(readiness.status, "degraded");
  EXPECT_EQ(readiness.reasons.size(), 2u);
}

TEST(ReadinessTest, ShardWithoutAnswerMakesTheNodeNotReady) {
  const Readiness readiness = JudgeReadiness(NodePhase::kServing, 2, {NvmeReport(0, NvmeState::kServing)});
  EXPECT_FALSE(readiness.ready);
  EXPECT_EQ(readiness.status, "stuck");
  EXPECT_THAT(readiness.reasons, ElementsAre(HasSubstr("shard 1")));
}

TEST(ReadinessTest, BeforeAndAfterServingIsNotReady) {
  EXPECT_FALSE(JudgeReadiness(NodePhase::kStarting, 0, {}).ready);
  EXPECT_EQ(JudgeReadiness(NodePhase::kStarting, 0, {}).status, "starting");
  EXPECT_FALSE(JudgeReadiness(NodePhase::kStopping, 1, {NvmeReport(0, NvmeState::kServing)}).ready);
  EXPECT_EQ(JudgeReadiness(NodePhase::kStopping, 0, {}).status, "stopping");
}

TEST(ReadinessTest, ANodeWithoutItsClusterIsReadyAndSaysWhatIsWrong) {
  ClusterGauges cluster{.source = "redis://r?cluster=c", .epoch = 7, .state = "serving"};
  const auto judge = [&] {
    return JudgeReadiness(NodePhase::kServing, 1, {NvmeReport(0, NvmeState::kServing)}, cluster);
  };
  EXPECT_THAT(judge().json, HasSubstr("\"epoch\": 7"));
  EXPECT_TRUE(judge().reasons.empty());
  cluster.connected = false;
  cluster.last_error = "no route";
  EXPECT_TRUE(judge().ready);
  EXPECT_EQ(judge().status, "serving");
  EXPECT_THAT(judge().reasons, ElementsAre(HasSubstr("no route")));
  cluster.fenced = true;
  EXPECT_FALSE(judge().ready);
  EXPECT_EQ(judge().status, "fenced");
}

}  // namespace
}  // namespace incipit
