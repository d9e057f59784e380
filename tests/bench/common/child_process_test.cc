#include "bench/common/child_process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace incipit::bench {
namespace {

TEST(ChildProcessTest, GivesOutputAndExitStatus) {
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start({.arguments = {"/bin/sh", "-c", "echo hello; exit 3"}, .capture_output = true});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(*child->ReadOutput(), "hello\n");
  EXPECT_EQ(child->Wait(), 3);
  EXPECT_FALSE(child->Running());
}

TEST(ChildProcessTest, MissingProgramIsNotFound) {
  const absl::StatusOr<ChildProcess> child = ChildProcess::Start({.arguments = {"/nonexistent/program"}});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound) << child.status();
}

TEST(ChildProcessTest, KilledChildTellsItsSignal) {
  absl::StatusOr<ChildProcess> child = ChildProcess::Start({.arguments = {"/bin/sleep", "1000"}});
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE(child->Running());
  EXPECT_GT(child->ResidentBytes(), 0u);
  child->Signal(SIGKILL);
  EXPECT_EQ(child->Wait(), 128 + SIGKILL);
}

TEST(ChildProcessTest, DestructorEndsTheProcess) {
  pid_t pid = 0;
  {
    absl::StatusOr<ChildProcess> child = ChildProcess::Start({.arguments = {"/bin/sleep", "1000"}});
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProcessTest, CpuTimeIsKeptPastTheEnd) {
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start({.arguments = {"/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"}});
  ASSERT_TRUE(child.ok()) << child.status();
  child->Wait();
  EXPECT_GT(child->CpuSeconds(), 0);
}

}  // namespace
}  // namespace incipit::bench
