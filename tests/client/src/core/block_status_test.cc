#include "client/src/core/block_status.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

using wire::BlockStatus;

TEST(BlockStatus, AnyPartThatFailsDecides) {
  BlockStatus status = BlockStatus::kPresent;
  MergeStatus(&status, BlockStatus::kOk);
  EXPECT_EQ(status, BlockStatus::kOk);
  MergeStatus(&status, BlockStatus::kMiss);
  MergeStatus(&status, BlockStatus::kOk);
  EXPECT_EQ(status, BlockStatus::kMiss);
  MergeStatus(&status, BlockStatus::kDamaged);
  MergeStatus(&status, BlockStatus::kMiss);
  EXPECT_EQ(status, BlockStatus::kDamaged);
}

TEST(BlockStatus, OneWantedPartMakesTheBlockWanted) {
  BlockStatus status = BlockStatus::kPresent;
  MergeStatus(&status, BlockStatus::kWanted);
  MergeStatus(&status, BlockStatus::kPresent);
  EXPECT_EQ(status, BlockStatus::kWanted);
}

TEST(BlockStatus, SeveritiesAreDistinct) {
  for (int a = 0; a <= static_cast<int>(wire::kLastBlockStatus); ++a) {
    for (int b = 0; b < a; ++b) {
      EXPECT_NE(Severity(static_cast<BlockStatus>(a)), Severity(static_cast<BlockStatus>(b))) << a << " " << b;
    }
  }
}

TEST(BlockStatus, FailuresOfRequestsBecomeMisses) {
  EXPECT_EQ(StatusOfFailure(absl::ResourceExhaustedError("")), BlockStatus::kBusy);
  EXPECT_EQ(StatusOfFailure(absl::UnavailableError("")), BlockStatus::kExpired);
  EXPECT_EQ(StatusOfFailure(absl::DeadlineExceededError("")), BlockStatus::kExpired);
  EXPECT_EQ(StatusOfFailure(absl::InvalidArgumentError("")), BlockStatus::kRejected);
  EXPECT_TRUE(IsUnreachable(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsUnreachable(absl::ResourceExhaustedError("")));
}

}  // namespace
}  // namespace incipit
