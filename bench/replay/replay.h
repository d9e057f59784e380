// Drives a live node with a trace and reports what it found there.
#pragma once

#include "absl/status/statusor.h"
#include "bench/common/json.h"
#include "bench/common/progress.h"
#include "bench/replay/replay_options.h"

namespace incipit::bench {

// Blocks until all requests are done. Call from a thread that outlives the private node. Wrong bytes are reported, not
// an error. InvalidArgument: the trace or sizes; Unavailable: the node.
absl::StatusOr<ReplayReport> RunReplay(const ReplayOptions& options, const ProgressSink& progress);

// The contract of `incipit replay --json`; fields may be added, never renamed.
Json ReplayJson(const ReplayReport& report);
std::string ReplayText(const ReplayReport& report);

}  // namespace incipit::bench
