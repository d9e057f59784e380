#include "client/cli/doctor/ucx_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using ::testing::HasSubstr;

TEST(UcxCheckTest, VersionAndTransportsAreNamed) {
  const DoctorCheck check = CheckUcx({.version = std::string("1.13.1"), .transports = {"tcp", "rc on mlx5_0:1"}}, true);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_THAT(check.found, HasSubstr("1.13.1"));
  EXPECT_THAT(check.found, HasSubstr("tcp, rc on mlx5_0:1"));
  EXPECT_EQ(check.details["transports"].size(), 2u);
}

TEST(UcxCheckTest, MissingLibraryMattersOnlyWithRdmaDevices) {
  const UcxProbe probe{.version = absl::UnavailableError("no libucp")};
  EXPECT_EQ(CheckUcx(probe, false).status, DoctorStatus::kOk);
  const DoctorCheck check = CheckUcx(probe, true);
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("libucx0"));
  EXPECT_TRUE(check.details["version"].is_null());
}

TEST(UcxCheckTest, ThisMachineHasTcpIfItHasUcx) {
  const UcxProbe probe = ProbeUcx({"nosuch_0"});
  if (!probe.version.ok()) GTEST_SKIP() << probe.version.status();
  EXPECT_THAT(probe.transports, ::testing::Contains("tcp"));
}

}  // namespace
}  // namespace incipit
