#include "bench/plan/plan_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bench/replay/trace_reader.h"
#include "bench/workloads/workloads.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

// A guess of how many blocks a file names: bytes for each, and no more than this before they are seen.
constexpr uint64_t kBytesPerBlock = 16;
constexpr uint64_t kMostGuessedBlocks = uint64_t{1} << 23;

absl::Status AddTo(PrefixTrace* trace, const TraceRequest& request) {
  if (trace->Add(request.timestamp_ms, request.input_tokens, request.output_tokens, request.ids)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      fmt::format("the workload has over {} distinct blocks, more than a plan can hold; plan for a part of it",
                  PrefixTrace::kMaxBlocks));
}

absl::Status ReadFile(const PlanOptions& options, std::vector<std::string>* warnings, const ProgressSink& progress,
                      PrefixTrace* trace) {
  std::error_code no_matter;
  const uint64_t file_bytes = std::filesystem::file_size(options.trace_path, no_matter);
  if (!no_matter) trace->Reserve(std::min(kMostGuessedBlocks, file_bytes / kBytesPerBlock));
  ASSIGN_OR_RETURN(const TraceReadSummary summary,
                   ReadTraceFile(
                       options.trace_path, {.block_tokens = options.block_tokens, .strict = options.strict},
                       [&](const TraceRequest& request) { return AddTo(trace, request); }, progress));
  if (summary.malformed_lines > 0) {
    warnings->push_back(fmt::format("{} of {} lines are malformed and were left out{}", summary.malformed_lines,
                                    summary.lines,
                                    summary.malformed_lines > summary.malformed.size() ? "; the first of them:" : ":"));
    for (const std::string& line : summary.malformed) warnings->push_back("  " + line);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PrefixTrace> ReadPlanWorkload(const PlanOptions& options, std::vector<std::string>* warnings,
                                             const ProgressSink& progress) {
  PrefixTrace trace(options.block_tokens);
  if (options.workload.empty()) {
    RETURN_IF_ERROR(ReadFile(options, warnings, progress, &trace));
  } else {
    RETURN_IF_ERROR(GenerateWorkload(options.workload, options.seed, options.block_tokens,
                                     [&](const TraceRequest& request) { return AddTo(&trace, request); }));
  }
  if (trace.unique_blocks() == 0) {
    return absl::InvalidArgumentError(
        fmt::format("none of the {} requests of the trace names a block in its hash_ids", trace.requests().size()));
  }
  trace.Finish();
  if (trace.out_of_order() > 0) {
    warnings->push_back(fmt::format("{} requests are earlier than one before them in the file; sorted by timestamp",
                                    trace.out_of_order()));
  }
  if (trace.empty_requests() > 0) {
    warnings->push_back(fmt::format("{} requests name no block; their tokens count as misses", trace.empty_requests()));
  }
  return trace;
}

}  // namespace incipit::bench
