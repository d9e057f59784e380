// op store: how fast one worker gets new blocks into the node.
#include <fmt/format.h>

#include <algorithm>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "bench/speed/stream_ceiling.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kPassesKept = 2;  // that the node's RAM holds; older ones are evicted, as in a node that is full

class StoreBench {
 public:
  StoreBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    if (options_.tier != "ram") {
      return absl::InvalidArgumentError("--op store measures stores into RAM; NVMe is written behind them: --tier ram");
    }
    RETURN_IF_ERROR(Prepare());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      double value = 0, ceiling = 0;
      for (const bool ours : {pair % 2 == 0, pair % 2 != 0}) {
        double& measured = ours ? value : ceiling;
        ASSIGN_OR_RETURN(measured, ours ? Measure() : MeasureCeiling());
      }
      report_.samples.AddRates(value, ceiling);
    }
    RETURN_IF_ERROR(VerifyLastPass());
    return Finish();
  }

 private:
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(layout_, NamedLayout(options_.layout, options_.block_tokens));
    tokens_ = options_.tokens > 0 ? options_.tokens : TokensForBytes(layout_, options_.data_bytes);
    NewBlocks();
    if (set_.blocks.empty()) {
      return absl::InvalidArgumentError(fmt::format("--tokens {} is less than one restorable step of {}, {} tokens",
                                                    tokens_, options_.layout, layout_.RestoreStepTokens()));
    }
    ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(set_.bytes));
    Show(progress_, "starting a node", 0, 1);
    const uint64_t pass_bytes = set_.bytes + set_.bytes / 8;
    ASSIGN_OR_RETURN(rig_, BenchRig::Create(options_, layout_,
                                            {.ram_bytes = kPassesKept * pass_bytes + 64 * kMiB * options_.shards}));
    cpu_ = std::make_unique<CpuMeter>(rig_.get());
    Show(progress_, "finding the ceiling", 0, 1);
    ASSIGN_OR_RETURN(stream_, StreamCeiling::Create(StreamDirection::kSend, kPassesKept * set_.bytes, buffer_.bytes()));
    report_.ceiling_name = stream_->Name();
    return absl::OkStatus();
  }

  // Keys that no node has seen.
  void NewBlocks() {
    const uint64_t space = FreshKeySpace();
    set_ = BlockSet::Make(layout_, tokens_,
                          [&](GroupIndex group, uint32_t index) { return SyntheticKey(space + group, index); });
  }

  // GB/s of storing a whole set of new blocks. Only the client's calls are timed, its checksums included.
  absl::StatusOr<double> Measure() {
    NewBlocks();
    FillBlocks(set_.blocks, buffer_.bytes());
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig_->Connect());
    std::vector<StoreRequest> requests = PlanStores(set_, set_.blocks, options_.batch_bytes, buffer_.bytes());
    std::vector<StatusResult> results;
    cpu_->Start();
    const Stopwatch whole;
    for (StoreRequest& request : requests) {
      const Stopwatch watch;
      ASSIGN_OR_RETURN(StatusResult result, client->Store(std::move(request)));
      report_.latency_us.Add(watch.Microseconds());
      results.push_back(std::move(result));
    }
    const double seconds = whole.Seconds();
    cpu_->Stop();
    for (const StatusResult& result : results)
      report_.failures += result.status.size() - result.Count(BlockStatus::kOk);
    report_.cpu_bytes += set_.bytes;
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  absl::StatusOr<double> MeasureCeiling() {
    RETURN_IF_ERROR(stream_->Reconnect());
    ASSIGN_OR_RETURN(const double seconds, stream_->Move(buffer_.bytes()));
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  absl::Status VerifyLastPass() {
    std::fill(buffer_.bytes().begin(), buffer_.bytes().end(), uint8_t{0});
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig_->Connect());
    std::vector<LoadResult> results;
    for (LoadRequest& request : PlanLoads(set_, set_.blocks, options_.batch_bytes, buffer_.bytes())) {
      ASSIGN_OR_RETURN(LoadResult result, client->Load(std::move(request)));
      results.push_back(std::move(result));
    }
    const LoadCheck check = CheckLoads(set_.blocks, results, buffer_.bytes());
    report_.wrong_bytes += check.wrong_bytes;
    report_.failures += check.missed;
    return absl::OkStatus();
  }

  BenchReport Finish() {
    report_.options = options_;
    report_.unit = "GB/s";
    report_.target_ratio = 0.8;
    report_.latency_of = fmt::format("one Store of up to {} bytes", options_.batch_bytes);
    report_.client_cpu_s = cpu_->client_s();
    report_.server_cpu_s = cpu_->server_s();
    report_.details = {{"tokens", set_.tokens},
                       {"blocks", set_.blocks.size()},
                       {"bytes_per_pass", set_.bytes},
                       {"shards", options_.shards}};
    return std::move(report_);
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BenchReport report_;
  Layout layout_;
  uint64_t tokens_ = 0;
  BlockSet set_;
  MappedBuffer buffer_;
  std::unique_ptr<BenchRig> rig_;
  std::unique_ptr<CpuMeter> cpu_;
  std::unique_ptr<StreamCeiling> stream_;
};

}  // namespace

absl::StatusOr<BenchReport> RunStoreBench(const BenchOptions& options, const ProgressSink& progress) {
  return StoreBench(options, progress).Run();
}

}  // namespace incipit::bench
