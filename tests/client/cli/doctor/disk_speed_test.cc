#include "client/cli/doctor/disk_speed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

using testing::HasSubstr;

// The build folder, not /tmp: that is often a tmpfs, which may refuse O_DIRECT.
DiskSpeedOptions SmallRun() {
  DiskSpeedOptions options;
  options.directory = INCIPIT_BINARY_DIR;
  options.total_bytes = 1 << 20;
  options.block_bytes = 64 << 10;
  return options;
}

TEST(MeasureDiskSpeedTest, WritesAndReadsAllThatWasAskedFor) {
  const absl::StatusOr<DiskSpeed> speed = MeasureDiskSpeed(SmallRun());
  ASSERT_TRUE(speed.ok()) << speed.status();
  EXPECT_EQ(speed->written_bytes, 1u << 20);
  EXPECT_EQ(speed->read_bytes, 1u << 20);
  EXPECT_GT(speed->write_bytes_per_s, 0);
  EXPECT_GT(speed->read_bytes_per_s, 0);
}

TEST(MeasureDiskSpeedTest, TimeLimitOfZeroStopsAfterTheFirstBlocks) {
  DiskSpeedOptions options = SmallRun();
  options.phase_limit_ms = 0;
  options.depth = 2;
  const absl::StatusOr<DiskSpeed> speed = MeasureDiskSpeed(options);
  ASSERT_TRUE(speed.ok()) << speed.status();
  EXPECT_EQ(speed->written_bytes, 2u * options.block_bytes);
}

TEST(MeasureDiskSpeedTest, MissingDirectoryIsNotFound) {
  DiskSpeedOptions options = SmallRun();
  options.directory += "/absent";
  EXPECT_EQ(MeasureDiskSpeed(options).status().code(), absl::StatusCode::kNotFound);
}

TEST(JudgeDiskSpeedTest, FastDiskIsOk) {
  const DoctorCheck check = JudgeDiskSpeed(DiskSpeed{1, 1, 2e9, 3e9});
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_THAT(check.found, HasSubstr("reads 3.00 GB/s"));
}

TEST(JudgeDiskSpeedTest, SlowReadOrSlowWriteIsAWarning) {
  EXPECT_EQ(JudgeDiskSpeed(DiskSpeed{1, 1, 2e9, 1e8}).status, DoctorStatus::kWarn);
  EXPECT_EQ(JudgeDiskSpeed(DiskSpeed{1, 1, 1e8, 3e9}).status, DoctorStatus::kWarn);
}

TEST(JudgeDiskSpeedTest, FullDiskFailsAndSaysSo) {
  const DoctorCheck check = JudgeDiskSpeed(absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_EQ(check.found, "disk full");
  EXPECT_THAT(check.advice, HasSubstr("free some space"));
}

}  // namespace
}  // namespace incipit
