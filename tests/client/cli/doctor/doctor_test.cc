#include "client/cli/doctor/doctor.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

std::vector<std::string> NamesOf(const std::vector<DoctorCheck>& checks) {
  std::vector<std::string> names;
  for (const DoctorCheck& check : checks) names.push_back(check.name);
  return names;
}

TEST(RunDoctorTest, GivesEachCheckOnceUnderItsStableName) {
  FakeSystem directory;
  const std::vector<DoctorCheck> checks = RunDoctor({.directory = directory.root(), .fast = true});
  EXPECT_THAT(NamesOf(checks),
              testing::ElementsAre("io_uring", "memlock", "huge_pages", "numa", "direct_io", "free_space", "disk_speed",
                                   "cpu", "clock_source", "tcp_buffers", "open_files", "fabric", "ucx"));
  for (const DoctorCheck& check : checks) {
    EXPECT_NE(check.found, "") << check.name;
    EXPECT_TRUE(check.details.is_object()) << check.name;
    EXPECT_TRUE(check.status == DoctorStatus::kOk || !check.advice.empty()) << check.name;
  }
}

TEST(RunDoctorTest, SystemWithoutProcAndSysIsJudgedWithoutCrashing) {
  FakeSystem empty;
  const std::vector<DoctorCheck> checks =
      RunDoctor({.directory = empty.root(), .fast = true, .system_root = empty.root()});
  EXPECT_EQ(checks.size(), 13u);
}

TEST(RunDoctorTest, MissingDirectoryFailsTheStorageChecksOnly) {
  FakeSystem directory;
  std::set<std::string> failed;
  for (const DoctorCheck& check : RunDoctor({.directory = directory.root() + "/absent"})) {
    if (check.status == DoctorStatus::kFail) failed.insert(check.name);
  }
  EXPECT_THAT(failed, testing::UnorderedElementsAre("direct_io", "free_space", "disk_speed"));
}

}  // namespace
}  // namespace incipit
