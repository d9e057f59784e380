#include "client/cli/doctor/process_limits.h"

#include <sys/resource.h>

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(ProcessLimitsTest, LoweredLimitIsSeen) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_GT(before.rlim_cur, 300u);
  const rlimit lowered{300, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  const ProcessLimits limits = ProcessLimits::Current();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(limits.open_files, 300u);
  EXPECT_EQ(limits.open_files_hard, before.rlim_max);
}

TEST(ProcessLimitsTest, MemlockIsThatOfTheProcess) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  const uint64_t expected = limit.rlim_cur == RLIM_INFINITY ? ProcessLimits::kUnlimited : limit.rlim_cur;
  EXPECT_EQ(ProcessLimits::Current().memlock_bytes, expected);
}

}  // namespace
}  // namespace incipit
