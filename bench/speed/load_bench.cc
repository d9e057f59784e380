// op load: how fast one worker gets blocks back.
#include <fmt/format.h>

#include <algorithm>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/common/wait_written.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "bench/speed/copy_ceiling.h"
#include "bench/speed/fio.h"
#include "bench/speed/stream_ceiling.h"
#include "bench/speed/ucx_perf.h"
#include "cache/base/status_macros.h"
#include "cache/format/record.h"
#include "cache/shard/shard_options.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kSmallRamBytes = 64 * kMiB;  // per shard, where blocks are to come from NVMe
constexpr uint64_t kNvmeRegionBytes = 64 * kMiB;
constexpr uint32_t kWriteTimeoutMs = 120'000;
constexpr double kNvmeShare = 0.95;  // of blocks that must come from NVMe for the figure to say anything
constexpr double kFioSeconds = 2;

class LoadBench {
 public:
  LoadBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    RETURN_IF_ERROR(PrepareCeiling());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      // In turn first and second, so that neither always follows the other.
      double value = 0, ceiling = 0;
      for (const bool ours : {pair % 2 == 0, pair % 2 != 0}) {
        double& measured = ours ? value : ceiling;
        ASSIGN_OR_RETURN(measured, ours ? MeasureLane() : MeasureCeiling());
      }
      report_.samples.AddRates(value, ceiling);
      if (BesideTcp()) {
        ASSIGN_OR_RETURN(const double tcp, MeasureTcp());
        over_tcp_.AddRates(value, tcp);
      }
    }
    return Finish();
  }

 private:
  bool FromNvme() const { return options_.tier == "nvme"; }
  bool Shared() const { return options_.lane == "unix"; }
  bool OverUcx() const { return options_.lane == "ucx"; }
  bool BesideTcp() const { return (Shared() || OverUcx()) && rig_->node() != nullptr; }

  absl::Status Prepare() {
    ASSIGN_OR_RETURN(const Layout layout, NamedLayout(options_.layout, options_.block_tokens));
    const uint64_t data_bytes = FromNvme() ? std::max(options_.data_bytes, 2 * kGiB) : options_.data_bytes;
    const uint64_t space = FreshKeySpace();
    set_ = BlockSet::Make(layout, options_.tokens > 0 ? options_.tokens : TokensForBytes(layout, data_bytes),
                          [&](GroupIndex group, uint32_t index) { return SyntheticKey(space + group, index); });
    if (set_.blocks.empty()) {
      return absl::InvalidArgumentError(fmt::format("--tokens {} is less than one restorable step of {}, {} tokens",
                                                    options_.tokens, options_.layout, layout.RestoreStepTokens()));
    }
    uint64_t largest = 0;
    for (const PlannedBlock& block : set_.blocks) largest = std::max(largest, block.bytes);
    const uint64_t buffer_bytes = std::max(std::min(options_.buffer_bytes, set_.bytes), largest);
    if (Shared()) {
      ASSIGN_OR_RETURN(buffer_, MappedBuffer::CreateShared(buffer_bytes));
    } else {
      ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(buffer_bytes));
    }
    // Arenas and regions need room for headers, rounding and what is being written.
    RigSizes sizes{.ram_bytes = set_.bytes + set_.bytes / 8 + 64 * kMiB * options_.shards};
    if (FromNvme()) {
      sizes = {.ram_bytes = std::max(kSmallRamBytes, 4 * std::min(largest, kMaxPayloadBytes)) * options_.shards,
               .nvme_bytes = set_.bytes + set_.bytes / 2 + 8 * kNvmeRegionBytes * options_.shards,
               .region_bytes = std::max(kNvmeRegionBytes, 2 * kMaxPayloadBytes * (largest > kNvmeRegionBytes / 4))};
    }
    Show(progress_, "starting a node", 0, 1);
    ASSIGN_OR_RETURN(rig_, BenchRig::Create(options_, layout, sizes));
    RETURN_IF_ERROR(rig_->StoreSet(set_, buffer_.bytes(), progress_));
    if (FromNvme()) {
      ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig_->Connect());
      RETURN_IF_ERROR(WaitUntilWritten(client.get(), kWriteTimeoutMs));
    }
    cpu_ = std::make_unique<CpuMeter>(rig_.get());
    return absl::OkStatus();
  }

  absl::Status PrepareCeiling() {
    Show(progress_, "finding the ceiling", 0, 1);
    if (OverUcx()) {
      uint64_t largest = 0;
      for (const PlannedBlock& block : set_.blocks) largest = std::max(largest, block.bytes);
      ucx_perf_ = {.message_bytes = largest, .messages = std::max<uint64_t>(set_.bytes / largest, 1)};
      report_.ceiling_name = fmt::format("ucx_perftest -t ucp_am_bw -s {}, same UCX settings", largest);
      return absl::OkStatus();
    }
    if (!FromNvme() && Shared()) {
      ASSIGN_OR_RETURN(copy_, CopyCeiling::Create(std::max<uint64_t>(set_.bytes, 512 * kMiB)));
      report_.ceiling_name = CopyCeiling::kName;
      return absl::OkStatus();
    }
    if (!FromNvme()) {
      ASSIGN_OR_RETURN(stream_, StreamCeiling::Create(StreamDirection::kReceive,
                                                      std::max<uint64_t>(set_.bytes, 512 * kMiB), buffer_.bytes()));
      report_.ceiling_name = stream_->Name();
      return absl::OkStatus();
    }
    // The tier reads a record in pieces of one read slot; a load keeps so many records in flight.
    const NvmeOptions nvme;
    uint64_t bytes = 0;
    for (const PlannedBlock& block : set_.blocks) bytes = std::max(bytes, std::min(block.bytes, kMaxPayloadBytes));
    const uint64_t pieces = (bytes + nvme.read_slot_bytes - 1) / nvme.read_slot_bytes;
    fio_.path = rig_->directory() + "/fio.dat";
    fio_.file_bytes = std::max(set_.bytes, 2 * kGiB);
    fio_.block_bytes = std::min(AlignUp(bytes + kDiskPageBytes, kDiskPageBytes), nvme.read_slot_bytes);
    fio_.depth =
        static_cast<uint32_t>(std::min<uint64_t>(nvme.read_slots, ShardLimits().nvme_reads_per_load * pieces)) *
        options_.shards;
    fio_.seconds = 0;
    RETURN_IF_ERROR(RunFio(fio_).status());
    fio_.seconds = kFioSeconds;
    report_.ceiling_name = fmt::format("fio read, direct=1, io_uring, bs={}, iodepth={}", fio_.block_bytes, fio_.depth);
    return absl::OkStatus();
  }

  // GB/s of one pass over all blocks. Only the client's calls are timed; every byte is verified in between.
  absl::StatusOr<double> MeasureLane() {
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig_->Connect());
    report_.cpu_bytes += set_.bytes;
    return MeasureWith(client.get(), cpu_.get(), &report_.latency_us);
  }

  // The same loads by the tcp lane of the same node.
  absl::StatusOr<double> MeasureTcp() {
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig_->ConnectTo(rig_->node()->address()));
    CpuMeter cpu(rig_.get());
    Percentiles latency_us;
    return MeasureWith(client.get(), &cpu, &latency_us);
  }

  absl::StatusOr<double> MeasureWith(Client* client, CpuMeter* cpu, Percentiles* latency_us) {
    double seconds = 0;
    for (const std::span<const PlannedBlock> round : CutIntoBatches(set_.blocks, buffer_.bytes().size())) {
      std::vector<LoadRequest> requests = PlanLoads(set_, round, options_.batch_bytes, buffer_.bytes());
      std::vector<LoadResult> results;
      cpu->Start();
      const Stopwatch whole;
      for (LoadRequest& request : requests) {
        const Stopwatch watch;
        ASSIGN_OR_RETURN(LoadResult result, client->Load(std::move(request)));
        latency_us->Add(watch.Microseconds());
        results.push_back(std::move(result));
      }
      seconds += whole.Seconds();
      cpu->Stop();
      const LoadCheck check = CheckLoads(round, results, buffer_.bytes());
      report_.wrong_bytes += check.wrong_bytes;
      report_.failures += check.missed;
      from_nvme_ += check.from_nvme;
      loaded_ += round.size();
    }
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  absl::StatusOr<double> MeasureCopies() {
    double seconds = 0;
    for (const std::span<const PlannedBlock> round : CutIntoBatches(set_.blocks, buffer_.bytes().size())) {
      ASSIGN_OR_RETURN(const double took, copy_->Move(round, buffer_.bytes()));
      seconds += took;
    }
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  absl::StatusOr<double> MeasureCeiling() {
    if (FromNvme()) return RunFio(fio_);
    if (OverUcx()) return RunUcxPerf(ucx_perf_);
    if (Shared()) return MeasureCopies();
    RETURN_IF_ERROR(stream_->Reconnect());
    double seconds = 0;
    for (uint64_t left = set_.bytes; left > 0;) {
      const uint64_t take = std::min<uint64_t>(left, buffer_.bytes().size());
      ASSIGN_OR_RETURN(const double took, stream_->Move(buffer_.bytes().first(take)));
      seconds += took;
      left -= take;
    }
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  BenchReport Finish() {
    report_.options = options_;
    report_.unit = "GB/s";
    if (options_.sealed) {
      report_.target_ratio.reset();  // `--op seal` has one
    } else if (Shared() && !FromNvme() && options_.layout == "deepseek-v3-bf16") {
      report_.target_ratio = 1.0;
    } else if (FromNvme() || options_.layout == "deepseek-v3-bf16") {
      report_.target_ratio = 0.9;
    } else if (options_.layout == "deepseek-v4.1-flash") {
      report_.target_ratio = 0.8;
    }
    report_.latency_of = fmt::format("one Load of up to {} bytes", options_.batch_bytes);
    report_.client_cpu_s = cpu_->client_s();
    report_.server_cpu_s = cpu_->server_s();
    const double nvme_share = loaded_ == 0 ? 0 : static_cast<double>(from_nvme_) / static_cast<double>(loaded_);
    if (FromNvme() && nvme_share < kNvmeShare) ++report_.failures;
    report_.details = {{"tokens", set_.tokens},
                       {"blocks", set_.blocks.size()},
                       {"bytes_per_pass", set_.bytes},
                       {"shards", options_.shards},
                       {"nvme_share", Rounded(nvme_share, 4)}};
    if (BesideTcp()) {
      report_.details["tcp_gb_per_s"] = Rounded(over_tcp_.ceilings.Median(), 3);
      report_.details["over_tcp"] = Rounded(over_tcp_.ratios.Median(), 3);
      report_.details["over_tcp_range"] = {Rounded(over_tcp_.ratios.Min(), 3), Rounded(over_tcp_.ratios.Max(), 3)};
    }
    return std::move(report_);
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BenchReport report_;
  BlockSet set_;
  MappedBuffer buffer_;
  std::unique_ptr<BenchRig> rig_;
  std::unique_ptr<CpuMeter> cpu_;
  std::unique_ptr<StreamCeiling> stream_;
  std::unique_ptr<CopyCeiling> copy_;
  PairedSamples over_tcp_;
  FioJob fio_;
  UcxPerfJob ucx_perf_;
  uint64_t loaded_ = 0, from_nvme_ = 0;
};

}  // namespace

absl::StatusOr<BenchReport> RunLoadBench(const BenchOptions& options, const ProgressSink& progress) {
  return LoadBench(options, progress).Run();
}

}  // namespace incipit::bench
