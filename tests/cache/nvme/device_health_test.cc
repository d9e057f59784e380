#include "cache/nvme/device_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/nvme/nvme_tier.h"
#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

class DeviceHealthTest : public testing::Test {
 protected:
  DeviceHealthTest() {
    health_.set_on_change([this] { ++changes_; });
  }
  SimLoop loop_;
  NvmeStats stats_;
  DeviceHealth health_{&loop_, 3, &stats_};
  int changes_ = 0;
};

TEST_F(DeviceHealthTest, OnlyFaultsInARowTakeItOutOfService) {
  for (int i = 0; i < 10; ++i) {
    health_.OnError(DeviceOpKind::kRead, "EIO");
    health_.OnTimeout(DeviceOpKind::kRead, "slow");
    health_.OnSuccess(DeviceOpKind::kRead);
  }
  EXPECT_TRUE(health_.serving());
  EXPECT_EQ(stats_.read_errors, 10u);
  EXPECT_EQ(stats_.timeouts, 10u);
  EXPECT_EQ(changes_, 0);
}

TEST_F(DeviceHealthTest, GoodReadsDoNotHideFailingWrites) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(health_.serving());
    health_.OnError(DeviceOpKind::kWrite, "write at 4096: EIO");
    health_.OnSuccess(DeviceOpKind::kRead);
    health_.OnSuccess(DeviceOpKind::kFlush);
  }
  EXPECT_FALSE(health_.serving());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(stats_.write_errors, 3u);
}

TEST_F(DeviceHealthTest, ErrorsAndTimeoutsOfOneKindCountTogetherAndTheCauseIsNamed) {
  health_.OnError(DeviceOpKind::kRead, "another kind");
  health_.OnError(DeviceOpKind::kFlush, "first");
  health_.OnTimeout(DeviceOpKind::kFlush, "second");
  EXPECT_TRUE(health_.serving());
  health_.OnError(DeviceOpKind::kFlush, "flush at 4096: EIO");
  EXPECT_FALSE(health_.serving());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(stats_.suspensions, 1u);
  EXPECT_EQ(stats_.last_error, "flush at 4096: EIO");
  EXPECT_EQ(health_.Refusal().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(health_.Refusal().message()), testing::HasSubstr("flush at 4096: EIO"));
}

TEST_F(DeviceHealthTest, FaultsWhileOutAreCountedButSuspendOnce) {
  for (int i = 0; i < 10; ++i) health_.OnTimeout(DeviceOpKind::kWrite, "slow");
  EXPECT_EQ(stats_.timeouts, 10u);
  EXPECT_EQ(stats_.suspensions, 1u);
  EXPECT_EQ(changes_, 1);
}

TEST_F(DeviceHealthTest, ResumedDeviceNeedsAsManyErrorsAgain) {
  for (int i = 0; i < 3; ++i) health_.OnError(DeviceOpKind::kRead, "EIO");
  health_.Resume();
  EXPECT_TRUE(health_.serving());
  EXPECT_EQ(changes_, 2);
  health_.OnError(DeviceOpKind::kRead, "EIO");
  health_.OnError(DeviceOpKind::kRead, "EIO");
  EXPECT_TRUE(health_.serving());
  health_.OnError(DeviceOpKind::kRead, "EIO");
  EXPECT_FALSE(health_.serving());
  EXPECT_EQ(stats_.suspensions, 2u);
}

}  // namespace
}  // namespace incipit
