// op overload: what becomes of useful work when ten times as much is asked for as the node lets in.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <thread>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "bench/speed/load_pumps.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint32_t kOverload = 10;
constexpr uint32_t kPeakWorkers = 8;  // enough to keep the node busy
constexpr uint32_t kAllWorkers = kOverload * kPeakWorkers;
constexpr uint32_t kNodeMaxLoads = kPeakWorkers;  // more are answered busy
constexpr size_t kBlocksPerLoad = 128;
constexpr auto kProbePause = std::chrono::milliseconds(5);
constexpr uint64_t kMemoryBeyondArenaBytes = 256 * kMiB;  // buffers, index, code
constexpr double kTargetRatio = 0.9;

// Asks now and then over a connection of its own and notes how long the node's refusals take. A thread.
class RefusalProbe {
 public:
  RefusalProbe(std::unique_ptr<Client> client, const BlockSet* set) : client_(std::move(client)), set_(set) {
    buffer_.resize(set->blocks[0].bytes);
    thread_ = std::thread([this] { Loop(); });
  }
  ~RefusalProbe() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // Ends the thread; microseconds of the refusals that came from the node.
  const Percentiles& Refusals() {
    stop_ = true;
    thread_.join();
    return refusals_us_;
  }

 private:
  void Loop() {
    const std::span<const PlannedBlock> one(&set_->blocks[0], 1);
    while (!stop_) {
      std::vector<LoadRequest> requests = PlanLoads(*set_, one, UINT64_MAX, buffer_);
      const uint64_t busy_before = client_->counters().busy_replies;
      const Stopwatch watch;
      const absl::StatusOr<LoadResult> result = client_->Load(std::move(requests[0]));
      const double us = watch.Microseconds();
      if (result.ok() && client_->counters().busy_replies > busy_before) refusals_us_.Add(us);
      std::this_thread::sleep_for(kProbePause);
    }
  }

  std::unique_ptr<Client> client_;
  const BlockSet* set_;
  std::vector<uint8_t> buffer_;
  std::atomic<bool> stop_{false};
  Percentiles refusals_us_;
  std::thread thread_;
};

class OverloadBench {
 public:
  OverloadBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      RETURN_IF_ERROR(RunPair());
    }
    if (resident_bytes_ > ram_bytes_ + kMemoryBeyondArenaBytes) ++report_.failures;
    report_.options = options_;
    report_.unit = "GB/s";
    report_.ceiling_name =
        fmt::format("goodput with {} of the workers asking, {} blocks a load", kPeakWorkers, kBlocksPerLoad);
    report_.target_ratio = kTargetRatio;
    report_.latency_us = refusals_us_;
    report_.latency_of = "a refusal by the node, on a connection of its own";
    report_.details = {{"workers", kAllWorkers},
                       {"node_max_loads", kNodeMaxLoads},
                       {"asked_over_peak", Rounded(asked_over_peak_.Median(), 2)},
                       {"refused_share", Rounded(refused_share_.Median(), 3)},
                       {"refusals_probed", refusals_us_.size()},
                       {"refused_by_node_per_served", Rounded(by_node_per_served_.Median(), 2)},
                       {"loads_in_progress", Rounded(in_progress_.Median(), 1)},
                       {"worker_threads", PumpThreads()},
                       {"resident_bytes", resident_bytes_},
                       {"ram_bytes", ram_bytes_}};
    return std::move(report_);
  }

 private:
  absl::Status Prepare() {
    if (!options_.connect.empty()) {
      return absl::InvalidArgumentError(
          "--op overload needs a node of its own, with limits that it can reach: --spawn");
    }
    ASSIGN_OR_RETURN(const Layout layout, NamedLayout(options_.layout, options_.block_tokens));
    set_ = BlockSet::Make(layout, TokensForBytes(layout, options_.data_bytes),
                          [](GroupIndex group, uint32_t index) { return SyntheticKey(group, index); });
    if (layout.groups.size() > 1 || set_.blocks.size() < kBlocksPerLoad) {
      return absl::InvalidArgumentError(
          fmt::format("--op overload takes layouts of one group, and data of at least {} blocks", kBlocksPerLoad));
    }
    ram_bytes_ = set_.bytes + set_.bytes / 8 + 64 * kMiB * options_.shards;
    ASSIGN_OR_RETURN(rig_, BenchRig::Create(options_, layout,
                                            {.ram_bytes = ram_bytes_,
                                             .more_arguments = {"--max-loads", std::to_string(kNodeMaxLoads)}}));
    ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(kAllWorkers * kBlocksPerLoad * set_.blocks[0].bytes));
    return rig_->StoreSet(set_, buffer_.bytes(), progress_);
  }

  absl::Status RunPair() {
    const PumpPlan plan = {.threads = PumpThreads(), .workers = kAllWorkers, .blocks_per_load = kBlocksPerLoad};
    ASSIGN_OR_RETURN(std::unique_ptr<LoadPumps> pumps, LoadPumps::Create(rig_.get(), &set_, plan, buffer_.bytes()));
    const double part_s = options_.seconds / options_.pairs / 3;
    // Before and after, since connections change as they age.
    const PumpResult peak = pumps->Run(kPeakWorkers, 0, part_s);
    if (peak.served == 0) return absl::UnavailableError("no load was served without overload");
    ASSIGN_OR_RETURN(std::unique_ptr<Client> probe_client, rig_->Connect(/*busy_retries=*/0));
    RefusalProbe probe(std::move(probe_client), &set_);
    const auto pause_ns = static_cast<int64_t>(1e9 * kAllWorkers / (kOverload * peak.AskedPerSecond()));
    const PumpResult over = pumps->Run(kAllWorkers, pause_ns, part_s);
    refusals_us_.Merge(probe.Refusals());
    const PumpResult peak_again = pumps->Run(kPeakWorkers, 0, part_s);
    report_.samples.AddRates(over.GbPerSecond(), (peak.GbPerSecond() + peak_again.GbPerSecond()) / 2);
    for (const PumpResult& result : {peak, over, peak_again}) {
      report_.wrong_bytes += result.wrong_bytes;
      report_.failures += result.failures;
    }
    asked_over_peak_.Add(over.AskedPerSecond() / peak.AskedPerSecond());
    in_progress_.Add(over.InProgress());
    refused_share_.Add(static_cast<double>(over.refused) / static_cast<double>(over.asked));
    by_node_per_served_.Add(static_cast<double>(over.refused_by_node) / static_cast<double>(over.served));
    resident_bytes_ = std::max(resident_bytes_, rig_->node()->process()->ResidentBytes());
    return absl::OkStatus();
  }

  // The workers stand for machines of their own, so they get what cores the node leaves. Divides kPeakWorkers.
  static size_t PumpThreads() {
    const size_t spare = std::max(std::thread::hardware_concurrency(), 2u) - 1;
    return std::min<size_t>(std::bit_floor(spare), 4);
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BlockSet set_;
  MappedBuffer buffer_;
  std::unique_ptr<BenchRig> rig_;
  BenchReport report_;
  Percentiles refusals_us_, asked_over_peak_, refused_share_, in_progress_, by_node_per_served_;
  uint64_t ram_bytes_ = 0, resident_bytes_ = 0;
};

}  // namespace

absl::StatusOr<BenchReport> RunOverloadBench(const BenchOptions& options, const ProgressSink& progress) {
  return OverloadBench(options, progress).Run();
}

}  // namespace incipit::bench
