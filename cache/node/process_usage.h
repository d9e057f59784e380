// What this process has used. Read from /proc; numbers that cannot be read stay 0.
#pragma once

#include <cstdint>

namespace incipit {

struct ProcessUsage {
  double cpu_s = 0;  // user and system, all threads
  uint64_t resident_bytes = 0;
  uint64_t open_files = 0;
  double start_time_s = 0;  // Unix time
};

// Any thread. Some system calls: for scrapes, not for data paths.
ProcessUsage ReadProcessUsage();

}  // namespace incipit
