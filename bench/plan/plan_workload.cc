#include "bench/plan/plan_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "bench/replay/trace_reader.h"
#include "bench/workloads/workloads.h"
#include "cache/base/status_macros.h"
#include "eviction/sim/prefix_sampler.h"

namespace incipit::bench {
namespace {

// A guess of how many blocks a file names: bytes for each, and no more than this before they are seen.
constexpr uint64_t kBytesPerBlock = 16;
constexpr uint64_t kMostGuessedBlocks = uint64_t{1} << 23;

constexpr uint64_t kNotTold = 0;

absl::Status TooMany() {
  return absl::ResourceExhaustedError(
      fmt::format("the workload has over {} distinct blocks, more than a plan can hold; give --sample, or plan for a "
                  "part of it",
                  PrefixTrace::kMaxBlocks));
}

// Into a trace, whole or by way of a sampler. How long an answer was is left out: nobody tells a node, so policies that
// would go by it must not hear it here either.
class Adder {
 public:
  Adder(const PlanOptions& options, PrefixTrace* trace) : trace_(trace) {
    if (trace->sample() != nullptr) sampler_.emplace(trace, trace->sample()->rate(), options.seed);
  }
  absl::Status Add(const TraceRequest& request) {
    const bool added = sampler_.has_value()
                           ? sampler_->Add(request.timestamp_ms, request.input_tokens, kNotTold, request.ids)
                           : trace_->Add(request.timestamp_ms, request.input_tokens, kNotTold, request.ids);
    return added ? absl::OkStatus() : TooMany();
  }
  absl::Status Finish() {
    if (sampler_.has_value() && !sampler_->Finish()) return TooMany();
    sampler_.reset();
    trace_->Finish();
    return absl::OkStatus();
  }

 private:
  PrefixTrace* trace_;
  std::optional<PrefixSampler> sampler_;
};

absl::Status ReadFile(const PlanOptions& options, std::vector<std::string>* warnings, const ProgressSink& progress,
                      PrefixTrace* trace, Adder* adder) {
  std::error_code no_matter;
  const uint64_t file_bytes = std::filesystem::file_size(options.trace_path, no_matter);
  if (!no_matter && trace->sample() == nullptr) {
    trace->Reserve(std::min(kMostGuessedBlocks, file_bytes / kBytesPerBlock));
  }
  ASSIGN_OR_RETURN(const TraceReadSummary summary,
                   ReadTraceFile(
                       options.trace_path, {.block_tokens = options.block_tokens, .strict = options.strict},
                       [&](const TraceRequest& request) { return adder->Add(request); }, progress));
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
  PrefixTrace trace = options.sample_percent < 100 ? PrefixTrace(options.block_tokens, options.sample_percent / 100)
                                                   : PrefixTrace(options.block_tokens);
  Adder adder(options, &trace);
  if (options.workload.empty()) {
    RETURN_IF_ERROR(ReadFile(options, warnings, progress, &trace, &adder));
  } else {
    RETURN_IF_ERROR(GenerateWorkload(options.workload, options.seed, options.block_tokens,
                                     [&](const TraceRequest& request) { return adder.Add(request); }));
  }
  RETURN_IF_ERROR(adder.Finish());
  if (trace.unique_blocks() == 0) {
    return absl::InvalidArgumentError(
        trace.block_references() > 0
            ? fmt::format("--sample: none of {} block references fell into the sample; give a larger one",
                          trace.block_references())
            : fmt::format("none of the {} requests of the trace names a block in its hash_ids",
                          trace.requests().size()));
  }
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
