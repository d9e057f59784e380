// The workload of a plan, in memory: from a trace file or from a generator.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/progress.h"
#include "bench/plan/plan.h"
#include "eviction/sim/prefix_trace.h"

namespace incipit::bench {

// Finished, with a request at least and a block at least. What is odd about the trace but no error goes into *warnings,
// a sentence each. Errors: see RunPlan. One thread.
absl::StatusOr<PrefixTrace> ReadPlanWorkload(const PlanOptions& options, std::vector<std::string>* warnings,
                                             const ProgressSink& progress);

}  // namespace incipit::bench
