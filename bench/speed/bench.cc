#include "bench/speed/bench.h"

#include <fmt/format.h>

#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

struct Operation {
  const char* name;
  absl::StatusOr<BenchReport> (*run)(const BenchOptions&, const ProgressSink&);
};
constexpr Operation kOperations[] = {
    {"load", RunLoadBench},   {"store", RunStoreBench}, {"match", RunMatchBench},       {"hash", RunHashBench},
    {"seal", RunSealBench},   {"idle", RunIdleBench},   {"overload", RunOverloadBench}, {"auth", RunAuthBench},
    {"codec", RunCodecBench}, {"scale", RunScaleBench},
};

absl::Status Check(const BenchOptions& options) {
  if (options.lane != "tcp" && options.lane != "unix" && options.lane != "ucx") {
    return absl::InvalidArgumentError(fmt::format("--lane is {}, this build has: tcp, unix, ucx", options.lane));
  }
  if (!options.connect.empty() && options.connect.starts_with("unix://") != (options.lane == "unix")) {
    return absl::InvalidArgumentError(
        fmt::format("--connect {} is not on the lane {}: also give --lane", options.connect, options.lane));
  }
  if (options.lane == "unix" && options.op == "store") {
    return absl::InvalidArgumentError("--op store measures the tcp lane only: --lane tcp");
  }
  if (options.lane == "ucx" && (options.op != "load" || options.tier != "ram" || !options.connect.empty())) {
    return absl::InvalidArgumentError("--lane ucx is measured with --op load --tier ram on a private node");
  }
  if (options.tier != "ram" && options.tier != "nvme") {
    return absl::InvalidArgumentError(fmt::format("--tier is {}, expected ram or nvme", options.tier));
  }
  if (options.pairs == 0 || options.shards == 0 || options.batch_bytes == 0 || options.buffer_bytes == 0) {
    return absl::InvalidArgumentError("--pairs, --shards, --batch-bytes and --buffer-bytes must be at least 1");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> BenchOperations() {
  std::vector<std::string> names;
  for (const Operation& operation : kOperations) names.emplace_back(operation.name);
  return names;
}

absl::StatusOr<BenchReport> RunBench(const BenchOptions& options, const ProgressSink& progress) {
  RETURN_IF_ERROR(Check(options));
  if (!options.codec.empty() && (options.op == "load" || options.op == "store"))
    return RunCodedBench(options, progress);
  for (const Operation& operation : kOperations) {
    if (options.op == operation.name) return operation.run(options, progress);
  }
  return absl::InvalidArgumentError(
      fmt::format("--op is {}, expected one of: {}", options.op, fmt::join(BenchOperations(), ", ")));
}

}  // namespace incipit::bench
