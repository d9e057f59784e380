#include "client/cli/doctor/storage_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(CheckDirectIoTest, NamesTheFileSystemAndLeavesNothingBehind) {
  FakeSystem directory;
  const DoctorCheck check = CheckDirectIo(directory.root());
  EXPECT_NE(check.details["file_system"], "unknown");
  EXPECT_THAT(check.found, HasSubstr(check.details["file_system"].get<std::string>()));
  EXPECT_TRUE(std::filesystem::is_empty(directory.root()));
}

TEST(CheckDirectIoTest, MissingDirectoryFailsWithMkdir) {
  FakeSystem directory;
  const DoctorCheck check = CheckDirectIo(directory.root() + "/absent");
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_EQ(check.advice, "mkdir -p " + directory.root() + "/absent");
}

TEST(CheckDirectIoTest, FileInPlaceOfDirectoryFails) {
  FakeSystem directory;
  directory.Put("/file", "x");
  const DoctorCheck check = CheckDirectIo(directory.root() + "/file");
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_THAT(check.advice, HasSubstr("give a directory"));
}

TEST(CheckFreeSpaceTest, RoomForOneByteIsOk) {
  FakeSystem directory;
  const DoctorCheck check = CheckFreeSpace(directory.root(), 1);
  EXPECT_EQ(check.status, DoctorStatus::kOk);
  EXPECT_GT(check.details["free_bytes"], 0);
}

TEST(CheckFreeSpaceTest, MoreThanAnyDiskHasFails) {
  FakeSystem directory;
  const DoctorCheck check = CheckFreeSpace(directory.root(), uint64_t{1} << 60);
  EXPECT_EQ(check.status, DoctorStatus::kFail);
  EXPECT_THAT(check.found, HasSubstr("wanted"));
  EXPECT_NE(check.advice, "");
}

TEST(CheckFreeSpaceTest, MissingDirectoryFails) {
  FakeSystem directory;
  EXPECT_EQ(CheckFreeSpace(directory.root() + "/absent", 0).status, DoctorStatus::kFail);
}

}  // namespace
}  // namespace incipit
