// How fast a type of GPU computes prompts, and what it costs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::bench {

// Plain data.
struct Gpu {
  std::string_view name;
  double flops_per_s = 0;       // that prefill reaches, in the FLOPs of eviction/cost_model.h; not a data sheet's peak
  double dollars_per_hour = 0;  // an assumption, to be replaced by what is really paid
};

// Sources of the rates beside each in gpu.cc. Thread safe.
std::vector<std::string> GpuNames();
// NotFound lists the known names.
absl::StatusOr<Gpu> GpuOf(std::string_view name);

}  // namespace incipit::bench
