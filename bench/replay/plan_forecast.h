// What a plan foretold for a replay that is about to be measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit::bench {

inline constexpr uint64_t kMaxPlanBytes = 64 << 20;

// The row of the plan that is asked for, and the trace that it must be of.
struct PlanQuestion {
  std::string policy;
  double size_percent = 0;  // of the distinct blocks, both tiers together
  uint32_t block_tokens = 0;
  uint64_t requests = 0, unique_blocks = 0;
};

// The token hit ratio in a report of `incipit plan --json`. InvalidArgument: no such report, or one of another trace.
// NotFound: it has no such row; names those it has.
absl::StatusOr<double> PredictedHitRatio(std::string_view plan_json, const PlanQuestion& question);

// NotFound: it cannot be read. InvalidArgument: over kMaxPlanBytes.
absl::StatusOr<std::string> ReadPlanFile(const std::string& path);

}  // namespace incipit::bench
