// op load and op store with a codec: the same blocks with it and without, in turn, by two clients of one node.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bench/common/latents.h"
#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "cache/base/status_macros.h"
#include "cache/codec/fp8_lossless.h"
#include "cache/codec/fp8_rows.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr double kLoadTarget = 1.15, kStoreTarget = 0.9;
constexpr uint64_t kPassesKept = 2;            // of each kind; older ones are evicted, as in a node that is full
constexpr uint64_t kPayloadBytes = 64 * kMiB;  // of distinct values, which blocks take in turn: a node compares none

class CodedBench {
 public:
  CodedBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      RETURN_IF_ERROR(MeasurePair());
    }
    return Finish();
  }

 private:
  // What is stored, and moved, by one of the clients.
  struct Side {
    BlockSet set;
    std::unique_ptr<Client> client;
  };
  bool Loads() const { return options_.op == "load"; }
  Side& SideOf(bool coded) { return coded ? coded_ : plain_; }

  absl::Status Prepare() {
    if (options_.tier != "ram" || options_.lane != "tcp") {
      return absl::InvalidArgumentError("--codec is measured with --lane tcp --tier ram");
    }
    if (options_.codec == "fp8") {
      return absl::InvalidArgumentError("--codec fp8 is lossy: there is nothing to compare what was loaded with");
    }
    ASSIGN_OR_RETURN(layout_, NamedLayout(options_.layout, options_.block_tokens));
    if (layout_.groups.size() != 1) {
      return absl::InvalidArgumentError(
          fmt::format("--layout {} has {} groups; --codec is measured on one", options_.layout, layout_.groups.size()));
    }
    tokens_ = options_.tokens > 0 ? options_.tokens : TokensForBytes(layout_, options_.data_bytes);
    for (Side* side : {&plain_, &coded_}) NewBlocks(side);
    const uint64_t set_bytes = plain_.set.bytes;
    if (set_bytes == 0) return absl::InvalidArgumentError("--tokens is less than one block");
    if (layout_.groups[0].bytes_per_entry !=
        (options_.codec.starts_with("fp8") ? codec_internal::kFp8RowBytes : kLatentRowBytes)) {
      return absl::InvalidArgumentError(
          fmt::format("--codec {} is measured on rows of {} bytes: --layout {}", options_.codec,
                      options_.codec.starts_with("fp8") ? codec_internal::kFp8RowBytes : kLatentRowBytes,
                      options_.codec.starts_with("fp8") ? "deepseek-v3-fp8" : "deepseek-v3-bf16"));
    }
    MakePayload();
    ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(std::max(std::min(options_.buffer_bytes, set_bytes), BlockBytes())));
    Show(progress_, "starting a node", 0, 1);
    const uint64_t ram_bytes = 2 * kPassesKept * (set_bytes + set_bytes / 8) + 64 * kMiB * options_.shards;
    ASSIGN_OR_RETURN(rig_, BenchRig::Create(options_, layout_, {.ram_bytes = ram_bytes}));
    ASSIGN_OR_RETURN(plain_.client, rig_->ConnectCoding("", 0));
    ASSIGN_OR_RETURN(coded_.client, rig_->ConnectCoding(options_.codec, options_.codec_threads));
    for (std::unique_ptr<CpuMeter>& meter : cpu_) meter = std::make_unique<CpuMeter>(rig_.get());
    for (const bool coded : {false, true}) RETURN_IF_ERROR(StoreAll(coded));
    return absl::OkStatus();
  }

  // Keys that no node has seen.
  void NewBlocks(Side* side) {
    const uint64_t space = FreshKeySpace();
    side->set = BlockSet::Make(layout_, tokens_,
                               [&](GroupIndex group, uint32_t index) { return SyntheticKey(space + group, index); });
  }

  uint64_t BlockBytes() const { return layout_.groups[0].BlockBytes(); }
  void MakePayload() {
    const GroupSpec& group = layout_.groups[0];
    payload_blocks_ = std::max<uint64_t>(kPayloadBytes / BlockBytes(), 1);
    payload_.resize(payload_blocks_ * BlockBytes());
    const uint64_t rows = group.SegmentBytes() / group.bytes_per_entry;
    const LatentShape shape{.sigma = options_.data == "gaussian" ? 0 : 0.5,
                            .layers = group.layers,
                            .segment_bytes = rows * kLatentRowBytes};
    if (!options_.codec.starts_with("fp8")) return FillLatents(shape, payload_);
    std::vector<uint8_t> raw(payload_.size() / codec_internal::kFp8RowBytes * codec_internal::kBf16RowBytes);
    FillLatents(shape, raw);
    codec_internal::QuantizeRows(raw, payload_);
  }
  ByteView PayloadOf(const PlannedBlock& block) const {
    return ByteView(payload_).subspan(block.index % payload_blocks_ * BlockBytes(), BlockBytes());
  }

  using Round = std::span<const PlannedBlock>;
  std::vector<Round> RoundsOf(bool coded) { return CutIntoBatches(SideOf(coded).set.blocks, buffer_.bytes().size()); }

  // All blocks of both sides, a bufferful of one and then the same of the other: what else the machine does disturbs
  // both alike.
  absl::Status MeasurePair() {
    if (!Loads()) {
      for (const bool coded : {false, true}) NewBlocks(&SideOf(coded));
    }
    const std::vector<Round> rounds[] = {RoundsOf(false), RoundsOf(true)};
    double seconds[] = {0, 0};
    for (size_t i = 0; i < rounds[0].size(); ++i) {
      for (const bool coded : {i % 2 == 0, i % 2 != 0}) {
        RETURN_IF_ERROR(Loads() ? LoadRound(coded, rounds[coded][i], &seconds[coded])
                                : StoreRound(coded, rounds[coded][i], &seconds[coded]));
      }
    }
    report_.cpu_bytes += coded_.set.bytes;
    const double gigabytes = static_cast<double>(coded_.set.bytes) / 1e9;  // raw
    report_.samples.AddRates(gigabytes / seconds[true], gigabytes / seconds[false]);
    if (Loads()) return absl::OkStatus();
    for (const bool coded : {false, true}) {  // and compares
      for (const Round round : rounds[coded]) RETURN_IF_ERROR(LoadRound(coded, round, nullptr));
    }
    return absl::OkStatus();
  }

  absl::Status StoreAll(bool coded) {
    for (const Round round : RoundsOf(coded)) RETURN_IF_ERROR(StoreRound(coded, round, nullptr));
    return absl::OkStatus();
  }

  // Only the client's calls are timed.
  absl::Status StoreRound(bool coded, Round round, double* timed_s) {
    Side& side = SideOf(coded);
    MutableBytes to = buffer_.bytes();
    for (const PlannedBlock& block : round) {
      std::memcpy(to.data(), PayloadOf(block).data(), block.bytes);
      to = to.subspan(block.bytes);
    }
    std::vector<StoreRequest> requests = PlanStores(side.set, round, options_.batch_bytes, buffer_.bytes());
    if (timed_s != nullptr) cpu_[coded]->Start();
    const Stopwatch watch;
    for (StoreRequest& request : requests) {
      const Stopwatch one;
      ASSIGN_OR_RETURN(const StatusResult result, side.client->Store(std::move(request)));
      if (coded && timed_s != nullptr) report_.latency_us.Add(one.Microseconds());
      report_.failures += result.status.size() - result.Count(BlockStatus::kOk);
    }
    if (timed_s != nullptr) *timed_s += watch.Seconds();
    if (timed_s != nullptr) cpu_[coded]->Stop();
    return absl::OkStatus();
  }

  absl::Status LoadRound(bool coded, Round round, double* timed_s) {
    Side& side = SideOf(coded);
    std::vector<LoadRequest> requests = PlanLoads(side.set, round, options_.batch_bytes, buffer_.bytes());
    uint64_t hits = 0;
    if (timed_s != nullptr) cpu_[coded]->Start();
    const Stopwatch watch;
    for (LoadRequest& request : requests) {
      const Stopwatch one;
      ASSIGN_OR_RETURN(const LoadResult result, side.client->Load(std::move(request)));
      if (coded && timed_s != nullptr) report_.latency_us.Add(one.Microseconds());
      hits += result.hits;
    }
    if (timed_s != nullptr) *timed_s += watch.Seconds();
    if (timed_s != nullptr) cpu_[coded]->Stop();
    report_.failures += round.size() - hits;
    if (hits == round.size()) Compare(round);
    return absl::OkStatus();
  }

  // What was loaded, and forgets it.
  void Compare(std::span<const PlannedBlock> round) {
    MutableBytes loaded = buffer_.bytes();
    for (const PlannedBlock& block : round) {
      const ByteView expected = PayloadOf(block);
      if (!std::equal(expected.begin(), expected.end(), loaded.begin())) {
        for (size_t i = 0; i < block.bytes; ++i) report_.wrong_bytes += loaded[i] != expected[i] ? 1 : 0;
      }
      std::fill_n(loaded.begin(), block.bytes, uint8_t{0});
      loaded = loaded.subspan(block.bytes);
    }
  }

  BenchReport Finish() {
    const ClientCounters counters = coded_.client->counters();
    report_.options = options_;
    report_.unit = "GB/s";
    report_.ceiling_name = fmt::format("the same {} without a codec, in the same run", Loads() ? "loads" : "stores");
    if (options_.codec.starts_with("bf16")) report_.target_ratio = Loads() ? kLoadTarget : kStoreTarget;
    report_.latency_of = fmt::format("one call of up to {} bytes, with the codec", options_.batch_bytes);
    report_.client_cpu_s = cpu_[true]->client_s();
    report_.server_cpu_s = cpu_[true]->server_s();
    // Of as many bytes.
    const double plain_cpu_s = cpu_[false]->client_s() + cpu_[false]->server_s();
    const double coded_cpu_s = report_.client_cpu_s + report_.server_cpu_s;
    const double gigabytes = static_cast<double>(std::max<uint64_t>(report_.cpu_bytes, 1)) / 1e9;
    report_.details = {
        {"codec", options_.codec},
        {"data", options_.data},
        {"sealed", options_.sealed},
        {"cpu_s_per_gb_without", Rounded(plain_cpu_s / gigabytes, 3)},
        {"cpu_ratio", Rounded(plain_cpu_s / std::max(coded_cpu_s, 1e-9), 3)},
        {"stored_ratio", Rounded(static_cast<double>(counters.coded_raw_bytes) /
                                     static_cast<double>(std::max<uint64_t>(counters.coded_stored_bytes, 1)),
                                 4)},
        {"tokens", coded_.set.tokens},
        {"bytes_per_pass", coded_.set.bytes},
        {"shards", options_.shards}};
    return std::move(report_);
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BenchReport report_;
  Layout layout_;
  uint64_t tokens_ = 0, payload_blocks_ = 0;
  std::vector<uint8_t> payload_;
  MappedBuffer buffer_;
  std::unique_ptr<BenchRig> rig_;
  Side plain_, coded_;
  std::unique_ptr<CpuMeter> cpu_[2];  // without the codec, with it
};

}  // namespace

absl::StatusOr<BenchReport> RunCodedBench(const BenchOptions& options, const ProgressSink& progress) {
  return CodedBench(options, progress).Run();
}

}  // namespace incipit::bench
