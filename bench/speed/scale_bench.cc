// op scale: what several node processes send together, against as many times what one of them does.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "bench/common/mapped_buffer.h"
#include "bench/common/private_cluster.h"
#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "bench/speed/load_pumps.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr size_t kMaxThreads = 8;
constexpr size_t kWorkersPerThread = 2;  // one asks while the bytes of the other come in
constexpr uint64_t kFillBytes = 64 * kMiB;

// One cluster of the comparison, its clients and what they measured. One thread.
struct ScaleStep {
  std::unique_ptr<PrivateCluster> cluster;
  std::unique_ptr<BenchRig> rig;
  std::unique_ptr<LoadPumps> pumps;
  Percentiles gb_per_s, over_one, busy_cores;
  double client_cpu_s = 0, server_cpu_s = 0;
  uint64_t bytes = 0;
  double last_gb_per_s = 0;
};

class ScaleBench {
 public:
  ScaleBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      Measure(pair % 2 != 0);
    }
    return Finish();
  }

 private:
  absl::Status Prepare() {
    if (!options_.connect.empty() || options_.lane != "tcp" || options_.tier != "ram" || options_.sealed) {
      return absl::InvalidArgumentError(
          "--op scale starts nodes of its own and loads plain blocks from RAM over tcp: leave out --connect, "
          "--cluster, "
          "--lane, --tier and --sealed");
    }
    ASSIGN_OR_RETURN(layout_, NamedLayout(options_.layout, options_.block_tokens));
    if (layout_.groups.size() > 1) return absl::InvalidArgumentError("--op scale takes layouts of one group");
    set_ = BlockSet::Make(layout_, TokensForBytes(layout_, options_.data_bytes),
                          [](GroupIndex group, uint32_t index) { return SyntheticKey(group, index); });
    const uint64_t block_bytes = set_.blocks.empty() ? 1 : set_.blocks[0].bytes;
    plan_ = {.threads = Threads(), .workers = kWorkersPerThread * Threads()};
    plan_.blocks_per_load =
        std::clamp<size_t>(options_.batch_bytes / block_bytes, 1, std::max<size_t>(1, set_.blocks.size()));
    if (set_.blocks.empty() || options_.nodes < 2) {
      return absl::InvalidArgumentError(
          "--op scale needs --nodes of at least 2, and --data-bytes for at least a block");
    }
    ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(plan_.workers * plan_.blocks_per_load * block_bytes));
    for (size_t nodes = 1; nodes < options_.nodes; nodes *= 2) RETURN_IF_ERROR(AddStep(nodes));
    return AddStep(options_.nodes);
  }

  // The same blocks, over `nodes` nodes.
  absl::Status AddStep(size_t nodes) {
    Show(progress_, "starting nodes", nodes, options_.nodes);
    ScaleStep& step = steps_.emplace_back();
    // Placement is even on average only; a node has room for twice its share.
    const uint64_t ram_bytes = std::min<uint64_t>(2, nodes) * (set_.bytes + set_.bytes / 8) / nodes + 128 * kMiB;
    ASSIGN_OR_RETURN(step.cluster,
                     PrivateCluster::Start(
                         nodes, {.work_dir = options_.work_dir, .shards = options_.shards, .ram_bytes = ram_bytes}));
    BenchOptions there = options_;
    there.connect = step.cluster->address();
    ASSIGN_OR_RETURN(step.rig, BenchRig::Create(there, layout_, {}));
    ASSIGN_OR_RETURN(MappedBuffer filling, MappedBuffer::Create(std::max<uint64_t>(kFillBytes, set_.blocks[0].bytes)));
    RETURN_IF_ERROR(step.rig->StoreSet(set_, filling.bytes(), progress_));
    ASSIGN_OR_RETURN(step.pumps, LoadPumps::Create(step.rig.get(), &set_, plan_, buffer_.bytes()));
    return absl::OkStatus();
  }

  // One round over all clusters, in either order.
  void Measure(bool backwards) {
    const double part_s = options_.seconds / static_cast<double>(options_.pairs * steps_.size());
    for (size_t i = 0; i < steps_.size(); ++i) {
      ScaleStep& step = steps_[backwards ? steps_.size() - 1 - i : i];
      const double client_before = OwnCpuSeconds(), server_before = step.cluster->CpuSeconds();
      const PumpResult result = step.pumps->Run(plan_.workers, 0, part_s);
      const double client_s = OwnCpuSeconds() - client_before, server_s = step.cluster->CpuSeconds() - server_before;
      step.client_cpu_s += client_s;
      step.server_cpu_s += server_s;
      step.bytes += result.served_bytes;
      step.last_gb_per_s = result.GbPerSecond();
      step.gb_per_s.Add(step.last_gb_per_s);
      step.busy_cores.Add((client_s + server_s) / result.seconds);
      report_.wrong_bytes += result.wrong_bytes;
      report_.failures += result.failures + result.refused;
    }
    const double one = steps_.front().last_gb_per_s;
    for (ScaleStep& step : steps_) step.over_one.Add(one > 0 ? step.last_gb_per_s / one : 0);
    const ScaleStep& last = steps_.back();
    report_.samples.AddRates(last.last_gb_per_s, one * static_cast<double>(last.cluster->size()));
  }

  BenchReport Finish() {
    report_.options = options_;
    report_.unit = "GB/s";
    report_.ceiling_name = fmt::format("{} times what one node sends to the same clients", options_.nodes);
    const ScaleStep& last = steps_.back();
    report_.client_cpu_s = last.client_cpu_s;
    report_.server_cpu_s = last.server_cpu_s;
    report_.cpu_bytes = last.bytes;
    report_.details = {{"cores", std::thread::hardware_concurrency()},
                       {"client_threads", plan_.threads},
                       {"workers", plan_.workers},
                       {"blocks_per_load", plan_.blocks_per_load},
                       {"bytes", set_.bytes},
                       {"shards", options_.shards}};
    for (const ScaleStep& step : steps_) {
      const double gb = std::max(static_cast<double>(step.bytes), 1.0) / 1e9;
      report_.details["by_nodes"].push_back({{"nodes", step.cluster->size()},
                                             {"gb_per_s", Rounded(step.gb_per_s.Median(), 3)},
                                             {"over_one_node", Rounded(step.over_one.Median(), 2)},
                                             {"busy_cores", Rounded(step.busy_cores.Median(), 2)},
                                             {"client_cpu_s_per_gb", Rounded(step.client_cpu_s / gb, 3)},
                                             {"server_cpu_s_per_gb", Rounded(step.server_cpu_s / gb, 3)}});
    }
    return std::move(report_);
  }

  // Clients stand for other machines. They get half of the cores, so that the nodes can have as many.
  static size_t Threads() {
    return std::min<size_t>(kMaxThreads, std::bit_floor(std::max(std::thread::hardware_concurrency() / 2, 1u)));
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  Layout layout_;
  BlockSet set_;
  PumpPlan plan_;
  MappedBuffer buffer_;
  std::vector<ScaleStep> steps_;
  BenchReport report_;
};

}  // namespace

absl::StatusOr<BenchReport> RunScaleBench(const BenchOptions& options, const ProgressSink& progress) {
  return ScaleBench(options, progress).Run();
}

}  // namespace incipit::bench
