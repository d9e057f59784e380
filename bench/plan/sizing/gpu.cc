#include "bench/plan/sizing/gpu.h"

#include <fmt/format.h>

#include "absl/strings/str_join.h"

namespace incipit::bench {
namespace {

// Published prefill rates, times what the model costs a token:
//   H800: R1 at about 32,000 uncached tokens/s on a node of eight, at some 2,000 tokens of depth:
//         32e3 x 84e9 / 8 = 0.34e15. H200: V3.2, 128 Ki tokens in about 6.5 s on eight: 1.83e16 / 6.5 / 8 = 0.35e15.
//         Both are 17 % of the dense FP8 peak, which H100 shares.
//   GB300: V3.2 at 7,360 tokens/s on one: 7.36e3 x 76e9 = 0.56e15.
//   B200: not measured; GB300 scaled by the dense FP8 peaks, 4.5 to 5.
// Prices are round figures of renting one for an hour, in US dollars.
constexpr Gpu kGpus[] = {
    {"h100", 0.34e15, 2.5}, {"h800", 0.34e15, 2.5},  {"h200", 0.34e15, 3.0},
    {"b200", 0.50e15, 4.5}, {"gb300", 0.56e15, 6.0},
};

}  // namespace

std::vector<std::string> GpuNames() {
  std::vector<std::string> names;
  for (const Gpu& gpu : kGpus) names.emplace_back(gpu.name);
  return names;
}

absl::StatusOr<Gpu> GpuOf(std::string_view name) {
  for (const Gpu& gpu : kGpus) {
    if (gpu.name == name) return gpu;
  }
  return absl::NotFoundError(fmt::format("--gpu {}: not known; known: {}; for others give --prefill-tokens-per-s", name,
                                         absl::StrJoin(GpuNames(), ", ")));
}

}  // namespace incipit::bench
