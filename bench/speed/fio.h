// The ceiling of the NVMe tier: fio, a public tool, reading a file in the same directory.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace incipit::bench {

struct FioJob {
  std::string path;  // the file, made if need be
  uint64_t file_bytes = 0;
  uint64_t block_bytes = 0;  // of one read, a multiple of 4096
  uint32_t depth = 1;
  bool random = false;
  double seconds = 2;  // how long to read; 0 = only make the file
};

// GB/s of direct-I/O reads through io_uring. NotFound: fio is not installed (which package to install is said).
absl::StatusOr<double> RunFio(const FioJob& job);

// GB/s from what fio prints with --output-format=json.
absl::StatusOr<double> ParseFioJson(const std::string& text);

}  // namespace incipit::bench
