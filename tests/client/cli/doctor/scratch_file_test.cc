#include "client/cli/doctor/scratch_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/client/cli/doctor/fake_system.h"

namespace incipit {
namespace {

TEST(ScratchFileTest, HasNoNameWhileOpen) {
  FakeSystem directory;
  const absl::StatusOr<ScratchFile> file = ScratchFile::Open(directory.root());
  EXPECT_TRUE(std::filesystem::is_empty(directory.root()));
  if (!file.ok()) {
    // A file system that refuses O_DIRECT must be told from all other troubles.
    EXPECT_EQ(file.status().code(), absl::StatusCode::kFailedPrecondition) << file.status();
    return;
  }
  struct stat info {};
  ASSERT_EQ(fstat(file->fd(), &info), 0);
  EXPECT_EQ(info.st_nlink, 0u);
  EXPECT_TRUE(fcntl(file->fd(), F_GETFL) & O_DIRECT);
}

TEST(ScratchFileTest, MissingDirectoryIsNotFound) {
  FakeSystem directory;
  EXPECT_EQ(ScratchFile::Open(directory.root() + "/absent").status().code(), absl::StatusCode::kNotFound);
}

TEST(ScratchFileTest, FileInPlaceOfDirectoryIsInvalid) {
  FakeSystem directory;
  directory.Put("/file", "x");
  EXPECT_EQ(ScratchFile::Open(directory.root() + "/file").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace incipit
