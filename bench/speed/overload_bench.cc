// op overload: what becomes of useful work when ten times as much is asked for as the node lets in.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint32_t kPeakLoads = 8;  // in flight, which is enough to keep node and worker busy
constexpr uint32_t kOverloadLoads = 10 * kPeakLoads;
constexpr uint32_t kNodeMaxLoads = 4 * kPeakLoads;  // that the node takes on; more are answered busy
constexpr size_t kBlocksPerLoad = 16;
constexpr int64_t kRetryNs = 1'000'000;  // after a refusal
constexpr auto kProbePause = std::chrono::milliseconds(5);
constexpr uint32_t kPollUs = 200;
constexpr uint64_t kMemoryBeyondArenaBytes = 256 * kMiB;  // buffers, index, code
constexpr double kTargetRatio = 0.9;

bool Refused(const LoadResult& result) {
  return std::any_of(result.status.begin(), result.status.end(),
                     [](BlockStatus status) { return status == BlockStatus::kBusy; });
}

// Keeps a number of loads in flight from one client, all on the calling thread. A refused one is tried again.
class LoadPump {
 public:
  LoadPump(Client* client, const BlockSet* set, MutableBytes buffer, BenchReport* report)
      : client_(client), set_(set), buffer_(buffer), report_(report) {}

  // GB/s of what came in within `seconds`, verified.
  double Run(uint32_t in_flight, double seconds) {
    slots_.assign(in_flight, {});
    bytes_ = 0;
    const Stopwatch watch;
    while (watch.Seconds() < seconds) {
      for (uint32_t i = 0; i < in_flight; ++i) StartIfDue(i);
      client_->Poll(kPollUs);
    }
    const double gb_per_s = static_cast<double>(bytes_) / 1e9 / watch.Seconds();
    while (std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy; }))
      client_->Poll(kPollUs);
    return gb_per_s;
  }

 private:
  struct Slot {
    bool busy = false;
    int64_t not_before_ns = 0;
  };

  void StartIfDue(uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.busy || MonotonicNs() < slot.not_before_ns) return;
    slot.busy = true;
    const std::span<const PlannedBlock> blocks = NextBlocks();
    const uint64_t part = kBlocksPerLoad * blocks[0].bytes;
    const MutableBytes into = buffer_.subspan(index * part, part);
    std::vector<LoadRequest> requests = PlanLoads(*set_, blocks, UINT64_MAX, into);
    client_->LoadAsync(std::move(requests[0]), [this, index, blocks, into](absl::StatusOr<LoadResult> result) {
      Finish(index, blocks, into, result);
    });
  }

  std::span<const PlannedBlock> NextBlocks() {
    if (next_ + kBlocksPerLoad > set_->blocks.size()) next_ = 0;
    next_ += kBlocksPerLoad;
    return std::span(set_->blocks).subspan(next_ - kBlocksPerLoad, kBlocksPerLoad);
  }

  void Finish(uint32_t index, std::span<const PlannedBlock> blocks, ByteView into,
              const absl::StatusOr<LoadResult>& result) {
    slots_[index].busy = false;
    if (!result.ok()) {
      ++report_->failures;
      return;
    }
    if (Refused(*result)) {
      slots_[index].not_before_ns = MonotonicNs() + kRetryNs;
      return;
    }
    const LoadCheck check = CheckLoads(blocks, {*result}, into);
    report_->wrong_bytes += check.wrong_bytes;
    report_->failures += check.missed;
    bytes_ += result->bytes;
  }

  Client* client_;
  const BlockSet* set_;
  MutableBytes buffer_;
  BenchReport* report_;
  std::vector<Slot> slots_;
  size_t next_ = 0;
  uint64_t bytes_ = 0;
};

// Asks now and then over a connection of its own and notes how long a refusal takes. A thread.
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
  // Ends the thread; refusals in microseconds.
  const Percentiles& Refusals() {
    stop_ = true;
    thread_.join();
    return refusals_us_;
  }
  uint64_t served() const { return served_; }

 private:
  void Loop() {
    const std::span<const PlannedBlock> one(&set_->blocks[0], 1);
    while (!stop_) {
      std::vector<LoadRequest> requests = PlanLoads(*set_, one, UINT64_MAX, buffer_);
      const Stopwatch watch;
      const absl::StatusOr<LoadResult> result = client_->Load(std::move(requests[0]));
      const double us = watch.Microseconds();
      if (result.ok() && Refused(*result)) {
        refusals_us_.Add(us);
      } else {
        ++served_;
      }
      std::this_thread::sleep_for(kProbePause);
    }
  }

  std::unique_ptr<Client> client_;
  const BlockSet* set_;
  std::vector<uint8_t> buffer_;
  std::atomic<bool> stop_{false};
  Percentiles refusals_us_;
  uint64_t served_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<BenchReport> RunOverloadBench(const BenchOptions& options, const ProgressSink& progress) {
  if (!options.connect.empty()) {
    return absl::InvalidArgumentError("--op overload needs a node of its own, with limits that it can reach: --spawn");
  }
  ASSIGN_OR_RETURN(const Layout layout, NamedLayout(options.layout, options.block_tokens));
  const BlockSet set = BlockSet::Make(layout, TokensForBytes(layout, options.data_bytes),
                                      [](GroupIndex group, uint32_t index) { return SyntheticKey(group, index); });
  if (layout.groups.size() > 1 || set.blocks.size() < kBlocksPerLoad) {
    return absl::InvalidArgumentError("--op overload takes layouts of one group, and data of at least 16 blocks");
  }
  const RigSizes sizes{.ram_bytes = set.bytes + set.bytes / 8 + 64 * kMiB * options.shards,
                       .more_arguments = {"--max-loads", std::to_string(kNodeMaxLoads)}};
  ASSIGN_OR_RETURN(const std::unique_ptr<BenchRig> rig, BenchRig::Create(options, layout, sizes));
  ASSIGN_OR_RETURN(const MappedBuffer buffer,
                   MappedBuffer::Create(kOverloadLoads * kBlocksPerLoad * set.blocks[0].bytes));
  RETURN_IF_ERROR(rig->StoreSet(set, buffer.bytes(), progress));
  BenchReport report;
  report.options = options;
  report.unit = "GB/s";
  report.ceiling_name = fmt::format("goodput with {} loads of {} blocks in flight", kPeakLoads, kBlocksPerLoad);
  report.target_ratio = kTargetRatio;
  Percentiles refusals_us;
  uint64_t probes_served = 0, resident_bytes = 0;
  const double part_s = options.seconds / options.pairs / 2;
  for (uint32_t pair = 0; pair < options.pairs; ++pair) {
    Show(progress, "measuring", pair, options.pairs);
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig->Connect(/*busy_retries=*/0));
    LoadPump pump(client.get(), &set, buffer.bytes(), &report);
    const double peak = pump.Run(kPeakLoads, part_s);
    ASSIGN_OR_RETURN(std::unique_ptr<Client> probe_client, rig->Connect(/*busy_retries=*/0));
    RefusalProbe probe(std::move(probe_client), &set);
    report.samples.AddRates(pump.Run(kOverloadLoads, part_s), peak);
    resident_bytes = std::max(resident_bytes, rig->node()->process()->ResidentBytes());
    refusals_us.Merge(probe.Refusals());
    probes_served += probe.served();
  }
  if (resident_bytes > sizes.ram_bytes + kMemoryBeyondArenaBytes) ++report.failures;
  report.latency_us = refusals_us;
  report.latency_of = "a refusal, on a connection of its own";
  report.details = {{"loads_in_flight", kOverloadLoads},     {"node_max_loads", kNodeMaxLoads},
                    {"refusals_probed", refusals_us.size()}, {"probes_served", probes_served},
                    {"resident_bytes", resident_bytes},      {"ram_bytes", sizes.ram_bytes}};
  return report;
}

}  // namespace incipit::bench
