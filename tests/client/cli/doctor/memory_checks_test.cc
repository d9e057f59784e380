#include "client/cli/doctor/memory_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

using testing::HasSubstr;

constexpr uint64_t kGib = 1ull << 30;

TEST(CheckMemlockTest, LimitBelowArenaIsAWarningWithTheCommand) {
  const DoctorCheck check = CheckMemlock({.memlock_bytes = 8 << 20}, 4 * kGib);
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.found, HasSubstr("8 MiB"));
  EXPECT_THAT(check.found, HasSubstr("4 GiB"));
  EXPECT_THAT(check.advice, HasSubstr("ulimit -l unlimited"));
  EXPECT_THAT(check.advice, HasSubstr("LimitMEMLOCK"));
}

TEST(CheckMemlockTest, LimitOfExactlyTheArenaIsOk) {
  EXPECT_EQ(CheckMemlock({.memlock_bytes = 4 * kGib}, 4 * kGib).status, DoctorStatus::kOk);
  EXPECT_EQ(CheckMemlock({.memlock_bytes = 4 * kGib - 1}, 4 * kGib).status, DoctorStatus::kWarn);
}

TEST(CheckMemlockTest, PrivilegeLiftsTheLimit) {
  const DoctorCheck check = CheckMemlock({.memlock_bytes = 65536, .can_exceed_memlock = true}, 4 * kGib);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_EQ(check.details["limit_bytes"], 65536);
}

TEST(CheckMemlockTest, UnlimitedIsNullInDetails) {
  const DoctorCheck check = CheckMemlock({}, 4 * kGib);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_TRUE(check.details["limit_bytes"].is_null());
}

class CheckHugePagesTest : public testing::Test {
 protected:
  DoctorCheck Check(int free_pages, const std::string& transparent, uint64_t arena_bytes) {
    system_.Put("/proc/meminfo", "HugePages_Free:  " + std::to_string(free_pages) + "\nHugepagesize:  2048 kB\n");
    system_.Put("/sys/kernel/mm/transparent_hugepage/enabled", transparent);
    return CheckHugePages(SystemFiles(system_.root()), arena_bytes);
  }
  FakeSystem system_;
};

TEST_F(CheckHugePagesTest, ReservedPagesThatHoldTheArenaAreOk) {
  EXPECT_EQ(Check(512, "always madvise [never]", kGib).status, DoctorStatus::kOk);
  EXPECT_EQ(Check(511, "always madvise [never]", kGib).status, DoctorStatus::kWarn);
}

TEST_F(CheckHugePagesTest, TransparentPagesOnRequestAreOk) {
  EXPECT_EQ(Check(0, "always [madvise] never", kGib).status, DoctorStatus::kOk);
  EXPECT_EQ(Check(0, "[always] madvise never", kGib).status, DoctorStatus::kOk);
}

TEST_F(CheckHugePagesTest, NeitherKindNamesBothSettings) {
  const DoctorCheck check = Check(0, "always madvise [never]", kGib + 1);
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"));
  EXPECT_THAT(check.advice, HasSubstr("vm.nr_hugepages=513"));
  EXPECT_EQ(check.details["transparent"], "never");
}

TEST_F(CheckHugePagesTest, NoSystemFilesIsAWarningNotACrash) {
  const DoctorCheck check = CheckHugePages(SystemFiles(system_.root() + "/nowhere"), 0);
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_EQ(check.details["transparent"], "absent");
}

TEST(CheckNumaTest, CountsNodesAndNotTheirNeighbours) {
  FakeSystem system;
  system.Put("/sys/devices/system/node/node0/cpulist", "0-7");
  system.Put("/sys/devices/system/node/node1/cpulist", "8-15");
  system.Put("/sys/devices/system/node/online", "0-1");
  system.Put("/sys/devices/system/node/nodeless", "");
  const DoctorCheck check = CheckNuma(SystemFiles(system.root()));
  EXPECT_EQ(check.details["nodes"], 2);
  EXPECT_EQ(check.status, DoctorStatus::kWarn);
  EXPECT_THAT(check.advice, HasSubstr("numactl"));
}

TEST(CheckNumaTest, KernelWithoutNumaHasOneNode) {
  FakeSystem system;
  const DoctorCheck check = CheckNuma(SystemFiles(system.root()));
  EXPECT_EQ(check.details["nodes"], 1);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
}

}  // namespace
}  // namespace incipit
