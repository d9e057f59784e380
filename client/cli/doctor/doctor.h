// `incipit doctor`: looks at this machine the way a node will use it, and says what to change.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/doctor/doctor_check.h"

namespace incipit {

struct DoctorOptions {
  std::string directory = ".";  // where the NVMe tier would lie
  uint64_t arena_bytes = 0;     // RAM tier, all shards together; 0 = not known
  uint64_t nvme_bytes = 0;      // NVMe tier, all shards together; 0 = not known
  bool fast = false;            // leave out the disk measurement
  std::string system_root;      // put before /proc and /sys; for tests
};

// All checks, in a fixed order, each exactly once. Takes up to about eight seconds for the disk, else milliseconds.
// Any thread; leaves nothing behind.
std::vector<DoctorCheck> RunDoctor(const DoctorOptions& options);

}  // namespace incipit
