// The ceiling of the ucx lane: ucx_perftest, the UCX project's own benchmark, over the same transport and settings.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace incipit::bench {

struct UcxPerfJob {
  uint64_t message_bytes = 0;
  uint64_t messages = 0;
};

// GB/s of active messages from one process to another over UCX's tcp on the loopback device. NotFound: ucx_perftest is
// not installed (which package to install is said).
absl::StatusOr<double> RunUcxPerf(const UcxPerfJob& job);

// GB/s, overall, from the line that ucx_perftest prints with -f -v. InternalError: no such line.
absl::StatusOr<double> ParseUcxPerf(const std::string& text);

}  // namespace incipit::bench
