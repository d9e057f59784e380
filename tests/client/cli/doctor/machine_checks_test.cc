#include "client/cli/doctor/machine_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::Not;

class MachineChecksTest : public testing::Test {
 protected:
  SystemFiles files() const { return SystemFiles(system_.root()); }
  FakeSystem system_;
};

TEST_F(MachineChecksTest, CpuWithAllFeaturesIsOk) {
  system_.Put("/proc/cpuinfo", "model name\t: Zen\nflags\t\t: fpu aes avx2 avx512f avx512bw sha_ni\n");
  const DoctorCheck check = CheckCpu(files());
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_THAT(check.found, HasSubstr("Zen"));
  EXPECT_TRUE(check.details["missing"].empty());
}

TEST_F(MachineChecksTest, CpuWithoutAvx512OnlyIsOk) {
  system_.Put("/proc/cpuinfo", "model name\t: Zen\nflags\t\t: aes avx2 sha_ni\n");
  const DoctorCheck check = CheckCpu(files());
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_EQ(check.details["missing"].size(), 2u);
}

TEST_F(MachineChecksTest, CpuFlagThatMerelyContainsTheNameDoesNotCount) {
  system_.Put("/proc/cpuinfo", "model name\t: Old\nflags\t\t: vaes avx2x sha_nix avx512f\n");
  const DoctorCheck check = CheckCpu(files());
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("sha_ni"));
  EXPECT_THAT(check.advice, HasSubstr("avx2"));
  EXPECT_THAT(check.advice, HasSubstr("aes"));
  EXPECT_THAT(check.advice, Not(HasSubstr("avx512")));
}

TEST_F(MachineChecksTest, FastClockIsOk) {
  system_.Put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n");
  EXPECT_EQ(CheckClockSource(files()).status, DoctorStatus::kOk);
}

TEST_F(MachineChecksTest, SlowClockNamesTheFileToWrite) {
  system_.Put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  system_.Put("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n");
  const DoctorCheck check = CheckClockSource(files());
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("echo tsc > /sys/devices/system/clocksource"));
}

TEST_F(MachineChecksTest, SmallTcpBufferInOneDirectionIsAWarning) {
  system_.Put("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
  system_.Put("/proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t1048576\n");
  const DoctorCheck check = CheckTcpBuffers(files());
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_EQ(check.details["wmem_max_bytes"], 1048576);
  EXPECT_THAT(check.advice, HasSubstr("sysctl -w net.ipv4.tcp_rmem="));
}

TEST_F(MachineChecksTest, KernelDefaultTcpBuffersAreOk) {
  system_.Put("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
  system_.Put("/proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n");
  EXPECT_EQ(CheckTcpBuffers(files()).status, DoctorStatus::kOk);
}

TEST_F(MachineChecksTest, UnreadableTcpBuffersAreAWarning) {
  EXPECT_EQ(CheckTcpBuffers(files()).status, DoctorStatus::kWarn);
}

TEST_F(MachineChecksTest, NoFabricIsOk) {
  const DoctorCheck check = CheckFabric(files());
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_TRUE(check.details["devices"].empty());
}

TEST_F(MachineChecksTest, FabricPortThatIsDownIsAWarning) {
  system_.Put("/sys/class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n");
  system_.Put("/sys/class/infiniband/mlx5_1/ports/1/state", "1: DOWN\n");
  system_.Put("/sys/class/infiniband/mlx5_1/ports/1/link_layer", "Ethernet\n");
  const DoctorCheck check = CheckFabric(files());
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.found, HasSubstr("no active port on mlx5_1"));
  EXPECT_EQ(check.details["devices"][1]["ports"][0]["link_layer"], "Ethernet");
}

TEST(CheckOpenFilesTest, LowLimitIsAWarningWithinTheHardLimit) {
  const DoctorCheck check = CheckOpenFiles({.open_files = 1024, .open_files_hard = 20000});
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("ulimit -n 20000"));
}

TEST(CheckOpenFilesTest, HighOrNoLimitIsOk) {
  EXPECT_EQ(CheckOpenFiles({.open_files = 65536}).status, DoctorStatus::kOk);
  EXPECT_EQ(CheckOpenFiles({}).status, DoctorStatus::kOk);
}

}  // namespace
}  // namespace incipit
