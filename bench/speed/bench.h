// The benchmarks of `incipit bench`. bench/METHOD.md says how each measures and what its ceiling is.
#pragma once

#include "absl/status/statusor.h"
#include "bench/common/progress.h"
#include "bench/speed/bench_options.h"

namespace incipit::bench {

// Runs the benchmark that options.op names. Call from a thread that outlives the processes it starts. Wrong bytes and
// missed targets are in the report; errors are what kept it from measuring.
absl::StatusOr<BenchReport> RunBench(const BenchOptions& options, const ProgressSink& progress);

// Names of all operations, in the order of the help text.
std::vector<std::string> BenchOperations();

absl::StatusOr<BenchReport> RunLoadBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunStoreBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunMatchBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunHashBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunSealBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunIdleBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunOverloadBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunScaleBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunCodecBench(const BenchOptions& options, const ProgressSink& progress);
// Of load and store, if options.codec names one.
absl::StatusOr<BenchReport> RunCodedBench(const BenchOptions& options, const ProgressSink& progress);
absl::StatusOr<BenchReport> RunAuthBench(const BenchOptions& options, const ProgressSink& progress);

}  // namespace incipit::bench
