#include "cache/node/process_usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <vector>

namespace incipit {
namespace {

TEST(ProcessUsageTest, TouchedMemoryIsResident) {
  constexpr size_t kBytes = 64 << 20;
  const uint64_t before = ReadProcessUsage().resident_bytes;
  const std::vector<char> memory(kBytes, 1);
  EXPECT_GE(ReadProcessUsage().resident_bytes, before + kBytes / 2) << memory.size();
}

TEST(ProcessUsageTest, OpenFileIsCounted) {
  const uint64_t before = ReadProcessUsage().open_files;
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(ReadProcessUsage().open_files, before + 1);
  close(fd);
}

TEST(ProcessUsageTest, CpuTimeGrowsWithWork) {
  const double before = ReadProcessUsage().cpu_s;
  while (static_cast<double>(clock()) / CLOCKS_PER_SEC < before + 0.01) {
  }
  EXPECT_GT(ReadProcessUsage().cpu_s, before);
}

TEST(ProcessUsageTest, ProcessStartedBeforeNowAndNotLongAgo) {
  const double start_s = ReadProcessUsage().start_time_s;
  const auto now_s = static_cast<double>(time(nullptr));
  EXPECT_LE(start_s, now_s + 1);
  EXPECT_GT(start_s, now_s - 86'400);
}

}  // namespace
}  // namespace incipit
