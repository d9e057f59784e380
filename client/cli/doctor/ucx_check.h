// Whether the ucx lane can be used here: the library, and the transports it would take.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/doctor/doctor_check.h"

namespace incipit {

// What loading UCX and making a context with each of some settings gave.
struct UcxProbe {
  absl::StatusOr<std::string> version = std::string();  // "1.13.1", or why it cannot be loaded
  std::vector<std::string> transports;                  // of those the lane can use: "tcp", "posix", "rc"
};

// Loads UCX, and looks for RDMA devices by name.
UcxProbe ProbeUcx(const std::vector<std::string>& rdma_devices);

// Never a failure: a node without --listen-ucx needs no UCX. A warning where there are RDMA devices but no UCX.
DoctorCheck CheckUcx(const UcxProbe& probe, bool has_rdma_devices);

}  // namespace incipit
