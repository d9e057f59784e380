#include "client/cli/doctor/ring_check.h"

#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

using testing::HasSubstr;

constexpr RingProbe kGoodRing{.error = 0, .single_issuer = true, .fixed_buffers = true};

class RingCheckTest : public testing::Test {
 protected:
  RingCheckTest() {
    system_.Put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    system_.Put("/proc/sys/kernel/io_uring_disabled", "0\n");
    system_.Put("/proc/self/status", "Name:\tx\nSeccomp:\t0\n");
  }
  DoctorCheck Check(const RingProbe& probe) { return CheckRing(SystemFiles(system_.root()), probe); }
  FakeSystem system_;
};

TEST_F(RingCheckTest, WholeRingIsOk) {
  const DoctorCheck check = Check(kGoodRing);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_EQ(check.advice, "");
  EXPECT_THAT(check.found, HasSubstr("6.1.0-18-amd64"));
}

TEST_F(RingCheckTest, RefusalBySysctlNamesTheSysctl) {
  system_.Put("/proc/sys/kernel/io_uring_disabled", "2\n");
  const DoctorCheck check = Check({.error = EPERM});
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_EQ(check.advice, "sysctl -w kernel.io_uring_disabled=0");
  EXPECT_EQ(check.details["io_uring_disabled"], 2);
}

TEST_F(RingCheckTest, RefusalUnderSeccompNamesTheProfile) {
  system_.Put("/proc/self/status", "Name:\tx\nSeccomp:\t2\n");
  const DoctorCheck check = Check({.error = EPERM});
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_THAT(check.advice, HasSubstr("seccomp"));
  EXPECT_THAT(check.advice, HasSubstr("io_uring_setup"));
}

TEST_F(RingCheckTest, MissingSystemCallNamesTheKernel) {
  const DoctorCheck check = Check({.error = ENOSYS});
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_THAT(check.advice, HasSubstr("kernel"));
}

TEST_F(RingCheckTest, RefusedRegistrationIsAWarningAboutMemlock) {
  const DoctorCheck check = Check({.error = 0, .single_issuer = true, .fixed_buffers = false});
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("ulimit -l"));
}

TEST_F(RingCheckTest, OldKernelIsAWarning) {
  const DoctorCheck check = Check({.error = 0, .single_issuer = false, .fixed_buffers = true});
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.found, HasSubstr("without SINGLE_ISSUER"));
}

TEST_F(RingCheckTest, UnreadableSystemFilesStillGiveAnAnswer) {
  const DoctorCheck check = CheckRing(SystemFiles(system_.root() + "/nowhere"), kGoodRing);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_THAT(check.found, HasSubstr("unknown"));
}

TEST(RingProbeTest, ThisMachineHasRings) {
  // The product needs io_uring, so a machine that refuses it cannot test the product.
  const RingProbe probe = ProbeRing();
  ASSERT_EQ(probe.error, 0) << CheckRing(SystemFiles(), probe).advice;
  EXPECT_TRUE(probe.fixed_buffers);
}

}  // namespace
}  // namespace incipit
