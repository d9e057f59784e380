#include "cache/node/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace incipit {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total_pages = 0, resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return 0;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t OpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return 0;
  return static_cast<uint64_t>(std::distance(begin(files), end(files)));
}

// Field 22 of /proc/self/stat is the start in ticks since boot; fields are counted from behind the name, which may
// itself hold spaces and brackets.
double StartTimeSeconds() {
  constexpr int kFieldsBeforeStart = 19;
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  size_t at = text.rfind(')');
  for (int i = 0; i < kFieldsBeforeStart + 1 && at != std::string::npos; ++i) at = text.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  const double since_boot_s = std::strtod(text.c_str() + at, nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const double now_s = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now_s - (static_cast<double>(boot.tv_sec) + static_cast<double>(boot.tv_nsec) / 1e9) + since_boot_s;
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage resources{};
  if (getrusage(RUSAGE_SELF, &resources) == 0) usage.cpu_s = Seconds(resources.ru_utime) + Seconds(resources.ru_stime);
  usage.resident_bytes = ResidentBytes();
  usage.open_files = OpenFiles();
  usage.start_time_s = StartTimeSeconds();
  return usage;
}

}  // namespace incipit
