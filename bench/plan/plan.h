// What a plan is asked, and what it forecasts: the hits of policies at sizes, for a recorded or generated workload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/progress.h"
#include "bench/plan/sizing/recommendation.h"
#include "bench/plan/sizing/row_sizing.h"
#include "bench/plan/sizing/sizing_options.h"
#include "eviction/cost_model.h"
#include "eviction/sim/hit_totals.h"

namespace incipit::bench {

// The bound: what no policy can exceed. The name stands beside those of PolicyNames().
inline constexpr const char* kMinPolicy = "min";
inline constexpr uint32_t kMaxPlanShards = 4096;

struct PlanOptions {
  std::string trace_path;
  std::string workload;  // one of WorkloadNames(), instead of a trace
  uint64_t seed = 1;     // of the workload and of policies that draw
  uint32_t block_tokens = 512;
  bool strict = false;  // a malformed line of the trace is an error
  std::vector<std::string> policies;
  std::vector<double> sizes_percent;        // of the workload's distinct blocks
  bool by_flops = false;                    // what `auto` strives for
  uint32_t shards = 1;                      // that decide alone
  double hint_next_use_s = 0;               // announces the next use of blocks so far ahead; 0 = not at all
  std::string layout = "deepseek-v3-bf16";  // for the cost model
  uint32_t threads = 2;
  double sample_percent = 100;  // of the blocks that are simulated; all of them: exact
  SizingOptions sizing;
};

struct PlanRow {
  std::string policy;
  double size_percent = 0;
  uint64_t capacity_blocks = 0;  // of the whole workload, also where it is sampled
  HitTotals totals;
  double policy_ns_per_block = 0;  // time of the whole simulation for each block reference; 0 where sizes share one run
  std::optional<RowSizing> sizing;  // of one shard, without hints; none for the bound
};

struct PlanReport {
  PlanOptions options;
  CostModel cost;
  uint64_t requests = 0, block_references = 0, input_tokens = 0;
  uint64_t unique_blocks = 0;   // an estimate where blocks are sampled
  uint64_t sampled_blocks = 0;  // distinct ones; 0 = all
  double trace_seconds = 0;     // from the first request to the last
  std::vector<PlanRow> rows;    // by policy, then by size, as asked
  std::vector<PlanRow> bounds;  // by size, if the bound was asked for or rows are sized
  HitTotals endless;            // with room for all blocks; set together with bounds
  std::optional<Recommendation> recommendation;
  std::vector<std::string> warnings;
  double seconds = 0;
  uint64_t peak_memory_bytes = 0;  // of the process
};

// NotFound: no such trace or policy. InvalidArgument: a size or another option out of range, or no request in the
// trace. Runs `threads` simulations at a time, fewer where their memory would not stay within bounds. Exact, unless a
// sample is asked for.
absl::StatusOr<PlanReport> RunPlan(const PlanOptions& options, const ProgressSink& progress);

}  // namespace incipit::bench
