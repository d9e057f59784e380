// op match: how long a worker waits to learn what the node holds of its prompt.
#include <fmt/format.h>

#include <algorithm>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/common/wait_written.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "bench/speed/stream_peer.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kDefaultTokens = 1 << 20;
constexpr uint64_t kMaxSetBytes = 3 * kGiB;  // larger payloads are replaced by small ones: a match reads none
constexpr uint32_t kSmallBytesPerToken = 64;
constexpr uint64_t kKeysPerPass = 200'000;  // each pass looks up about this many
constexpr uint64_t kMinMatches = 20, kMaxMatches = 1000;
constexpr uint64_t kRegionBytes = 64 * kMiB;

class MatchBench {
 public:
  MatchBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    ASSIGN_OR_RETURN(client_, rig_->Connect());
    RETURN_IF_ERROR(MeasureMessageSizes());
    ASSIGN_OR_RETURN(peer_, StreamPeer::Start(kMiB));
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      double value = 0, ceiling = 0;
      for (const bool ours : {pair % 2 == 0, pair % 2 != 0}) {
        double& measured = ours ? value : ceiling;
        ASSIGN_OR_RETURN(measured, ours ? Measure() : MeasureCeiling());
      }
      report_.samples.AddTimes(value, ceiling);
    }
    return Finish();
  }

 private:
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(Layout layout, NamedLayout(options_.layout, options_.block_tokens));
    const uint64_t tokens = options_.tokens > 0 ? options_.tokens : kDefaultTokens;
    MakeSet(layout, tokens);
    if (set_.bytes > kMaxSetBytes) {
      ASSIGN_OR_RETURN(layout, CustomLayout(1, kSmallBytesPerToken, layout.groups[0].block_tokens));
      MakeSet(layout, tokens);
      small_payload_ = true;
    }
    if (set_.blocks.empty()) {
      return absl::InvalidArgumentError(fmt::format("--tokens {} is less than one restorable step of {}, {} tokens",
                                                    tokens, options_.layout, layout.RestoreStepTokens()));
    }
    for (const std::vector<BlockKey>& keys : set_.keys) key_count_ += keys.size();
    Show(progress_, "starting a node", 0, 1);
    const uint64_t room = set_.bytes + set_.bytes / 4 + 64 * kMiB * options_.shards;
    RigSizes sizes{.ram_bytes = room};
    if (options_.tier == "nvme") {
      sizes = {.ram_bytes = 64 * kMiB * options_.shards,
               .nvme_bytes = room + 8 * kRegionBytes * options_.shards,
               .region_bytes = kRegionBytes};
    }
    ASSIGN_OR_RETURN(rig_, BenchRig::Create(options_, layout, sizes));
    ASSIGN_OR_RETURN(const MappedBuffer buffer, MappedBuffer::Create(std::min(set_.bytes, options_.buffer_bytes)));
    return rig_->StoreSet(set_, buffer.bytes(), progress_);
  }

  void MakeSet(const Layout& layout, uint64_t tokens) {
    const uint64_t space = FreshKeySpace();
    set_ = BlockSet::Make(layout, tokens,
                          [&](GroupIndex group, uint32_t index) { return SyntheticKey(space + group, index); });
  }

  uint64_t MatchesPerPass() const { return std::clamp(kKeysPerPass / key_count_, kMinMatches, kMaxMatches); }

  // Microseconds of one match in which everything is found.
  absl::StatusOr<double> MatchOnce() {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const MatchResult match, client_->Match({.groups = set_.KeyLists()}));
    const double us = watch.Microseconds();
    if (match.longest_tokens() != set_.tokens) ++report_.failures;
    return us;
  }

  // What one match sends and receives, as the node counts it.
  absl::Status MeasureMessageSizes() {
    constexpr uint64_t kMatches = 4;
    const auto counter = [&](const char* name) { return SumOfCounter(client_.get(), name); };
    ASSIGN_OR_RETURN(const uint64_t received_before, counter("received_bytes_total"));
    ASSIGN_OR_RETURN(const uint64_t sent_before, counter("sent_bytes_total"));
    for (uint64_t i = 0; i < kMatches; ++i) RETURN_IF_ERROR(MatchOnce().status());
    ASSIGN_OR_RETURN(const uint64_t sent_after, counter("sent_bytes_total"));
    ASSIGN_OR_RETURN(const uint64_t received_after, counter("received_bytes_total"));
    // The counters' own messages are in it too; they are a few kilobytes at most.
    request_.resize(std::max<uint64_t>((received_after - received_before) / kMatches, 64));
    reply_.resize(std::max<uint64_t>((sent_after - sent_before) / kMatches, 64));
    return absl::OkStatus();
  }

  absl::StatusOr<double> Measure() {
    Percentiles pass;
    RETURN_IF_ERROR(MatchOnce().status());  // after a pause the first one finds everybody asleep
    for (uint64_t i = 0; i < MatchesPerPass(); ++i) {
      ASSIGN_OR_RETURN(const double us, MatchOnce());
      pass.Add(us);
    }
    report_.latency_us.Merge(pass);
    return pass.Median();
  }

  absl::StatusOr<double> MeasureCeiling() {
    Percentiles pass;
    for (uint64_t i = 0; i <= MatchesPerPass(); ++i) {
      const Stopwatch watch;
      RETURN_IF_ERROR(peer_->PingPong(request_, reply_));
      if (i > 0) pass.Add(watch.Microseconds());
    }
    return pass.Median();
  }

  BenchReport Finish() {
    report_.options = options_;
    report_.unit = "us";
    report_.ceiling_name = fmt::format("plain TCP ping-pong of the same sizes, {} bytes out, {} back, blocking",
                                       request_.size(), reply_.size());
    if (set_.tokens == kDefaultTokens) report_.target_value = 5000;
    if (set_.tokens == 2048) report_.target_value = 150;
    report_.latency_of = fmt::format("one Match of {} keys, all hits", key_count_);
    report_.details = {{"tokens", set_.tokens},
                       {"keys", key_count_},
                       {"shards", options_.shards},
                       {"matches_per_pass", MatchesPerPass()},
                       {"small_payload", small_payload_}};
    return std::move(report_);
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BenchReport report_;
  BlockSet set_;
  bool small_payload_ = false;
  uint64_t key_count_ = 0;
  std::unique_ptr<BenchRig> rig_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<StreamPeer> peer_;
  std::vector<uint8_t> request_, reply_;  // of a bare exchange of the same sizes
};

}  // namespace

absl::StatusOr<BenchReport> RunMatchBench(const BenchOptions& options, const ProgressSink& progress) {
  return MatchBench(options, progress).Run();
}

}  // namespace incipit::bench
