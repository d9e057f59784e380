// Measures sequential O_DIRECT writing and reading through io_uring, as the NVMe tier does it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/doctor/doctor_check.h"

namespace incipit {

struct DiskSpeedOptions {
  std::string directory;
  uint64_t total_bytes = 256ull << 20;  // written, then read; a multiple of block_bytes
  uint32_t block_bytes = 1 << 20;       // a multiple of 4096
  uint32_t depth = 8;                   // blocks in flight
  int64_t phase_limit_ms = 3000;        // no block is started after this long; what was done by then counts
};

struct DiskSpeed {
  uint64_t written_bytes = 0;
  uint64_t read_bytes = 0;
  double write_bytes_per_s = 0;  // with the flush that follows
  double read_bytes_per_s = 0;
};

// Uses a file without a name, so nothing is left behind. Blocks for two phases at most. Errors: those of opening
// (ScratchFile), ResourceExhausted (disk full), Unavailable (I/O error or io_uring refused).
absl::StatusOr<DiskSpeed> MeasureDiskSpeed(const DiskSpeedOptions& options);

// What a measurement means. Pure.
DoctorCheck JudgeDiskSpeed(const absl::StatusOr<DiskSpeed>& speed);

}  // namespace incipit
