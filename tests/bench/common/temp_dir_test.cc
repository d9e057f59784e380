#include "bench/common/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

namespace incipit::bench {
namespace {

TEST(TempDirTest, DestructorRemovesTheDirectoryWithItsFiles) {
  std::string path;
  {
    absl::StatusOr<TempDir> dir = TempDir::Create("");
    ASSERT_TRUE(dir.ok()) << dir.status();
    const TempDir moved = *std::move(dir);
    path = moved.path();
    std::ofstream(path + "/file") << "bytes";
    EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TempDirTest, KilledOwnerLeavesNothing) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    const absl::StatusOr<TempDir> dir = TempDir::Create("");
    if (!dir.ok()) _exit(1);
    const ssize_t written = write(ends[1], dir->path().c_str(), dir->path().size());
    if (written > 0) kill(getpid(), SIGKILL);
    _exit(1);
  }
  close(ends[1]);
  std::string path;
  char buffer[256];
  // The helper holds the other end of the pipe too, until it has removed the directory and ended.
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof(buffer))) > 0;)
    path.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  waitpid(owner, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_FALSE(path.empty());
  EXPECT_FALSE(std::filesystem::exists(path)) << path;
}

TEST(TempDirTest, MissingParentNamesTheFlag) {
  const absl::StatusOr<TempDir> dir = TempDir::Create("/nonexistent");
  ASSERT_FALSE(dir.ok());
  EXPECT_NE(dir.status().message().find("--work-dir"), absl::string_view::npos) << dir.status();
}

}  // namespace
}  // namespace incipit::bench
