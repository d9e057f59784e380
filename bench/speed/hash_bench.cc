// op hash: what PrefixHasher costs beyond its hash function.
#include <fmt/format.h>

#include "bench/common/stopwatch.h"
#include "bench/speed/bench.h"
#include "cache/base/status_macros.h"
#include "client/hasher/digest.h"
#include "client/hasher/prefix_hasher.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kDefaultTokens = 1 << 20;
constexpr uint32_t kDefaultChunkTokens = 64;
constexpr int kRepeats = 5;           // in one measurement, of which the fastest counts: noise only ever adds
constexpr double kTargetRatio = 0.8;  // at most 1.25 times the bare function
constexpr size_t kTagBytes = 8;

class HashBench {
 public:
  HashBench(HashAlgorithm algorithm, const std::vector<uint32_t>& tokens, uint32_t chunk_tokens)
      : algorithm_(algorithm), tokens_(tokens), chunk_tokens_(chunk_tokens) {
    // What the chain hashes, message after message (docs/prefix_keys.md): tag, parent, and the chunk's tokens, which
    // XXH3 takes as their digest.
    const size_t digest = hasher_internal::DigestBytes(algorithm);
    message_bytes_ = kTagBytes + digest + (algorithm == HashAlgorithm::kSha256 ? 4 * chunk_tokens : digest);
    framed_.assign(message_bytes_ * (tokens.size() / chunk_tokens), 0x5a);
  }

  absl::Status MeasurePair(bool ours_first, BenchReport* report) {
    double ours_us = 0, bare_us = 0;
    for (const bool ours : {ours_first, !ours_first}) {
      if (ours) {
        ASSIGN_OR_RETURN(ours_us, MeasureHasher(report));
      } else {
        bare_us = MeasureBare();
      }
    }
    report->samples.AddTimes(ours_us / 1e3, bare_us / 1e3);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<double> MeasureHasher(BenchReport* report) {
    if (hasher_ == nullptr) {
      ASSIGN_OR_RETURN(PrefixHasher made,
                       PrefixHasher::Create({.algorithm = algorithm_, .chunk_tokens = chunk_tokens_}));
      hasher_ = std::make_unique<PrefixHasher>(std::move(made));
    }
    Percentiles times_us;
    for (int i = 0; i < kRepeats; ++i) {
      hasher_->Reset();
      const Stopwatch watch;
      hasher_->Append(tokens_);
      times_us.Add(watch.Microseconds());
    }
    if (hasher_->keys().size() != tokens_.size() / chunk_tokens_) ++report->failures;
    report->latency_us.Merge(times_us);
    return times_us.Min();
  }

  // The bare function over the same bytes, which lie ready; no message waits for another.
  double MeasureBare() {
    Percentiles times_us;
    uint8_t digest[hasher_internal::kMaxDigestBytes];
    for (int i = 0; i < kRepeats; ++i) {
      const Stopwatch watch;
      const auto* tokens = reinterpret_cast<const uint8_t*>(tokens_.data());
      for (size_t at = 0; at < framed_.size(); at += message_bytes_) {
        if (algorithm_ == HashAlgorithm::kXxh3_128) {
          hasher_internal::DigestInto(algorithm_, {tokens, 4 * size_t{chunk_tokens_}}, digest);
          tokens += 4 * size_t{chunk_tokens_};
        }
        hasher_internal::DigestInto(algorithm_, {framed_.data() + at, message_bytes_}, digest);
      }
      times_us.Add(watch.Microseconds());
    }
    return times_us.Min();
  }

  HashAlgorithm algorithm_;
  const std::vector<uint32_t>& tokens_;
  uint32_t chunk_tokens_;
  size_t message_bytes_ = 0;
  std::vector<uint8_t> framed_;
  std::unique_ptr<PrefixHasher> hasher_;
};

}  // namespace

absl::StatusOr<BenchReport> RunHashBench(const BenchOptions& options, const ProgressSink& progress) {
  const uint32_t chunk_tokens = options.block_tokens > 0 ? options.block_tokens : kDefaultChunkTokens;
  std::vector<uint32_t> tokens(options.tokens > 0 ? options.tokens : kDefaultTokens);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<uint32_t>(i * 2654435761u) % 128'000;
  if (tokens.size() < chunk_tokens) return absl::InvalidArgumentError("--tokens is less than one chunk");
  BenchReport report, xxh3;
  HashBench sha_bench(HashAlgorithm::kSha256, tokens, chunk_tokens);
  HashBench xxh3_bench(HashAlgorithm::kXxh3_128, tokens, chunk_tokens);
  for (uint32_t pair = 0; pair < options.pairs; ++pair) {
    Show(progress, "measuring", pair, options.pairs);
    RETURN_IF_ERROR(sha_bench.MeasurePair(pair % 2 == 0, &report));
    RETURN_IF_ERROR(xxh3_bench.MeasurePair(pair % 2 == 0, &xxh3));
  }
  xxh3.options = report.options = options;
  xxh3.unit = report.unit = "ms";
  xxh3.target_ratio = report.target_ratio = kTargetRatio;
  report.ceiling_name = "SHA-256 over the same framed bytes";
  xxh3.ceiling_name = "XXH3-128 over the same framed bytes";
  report.latency_of = fmt::format("keys of {} tokens, {} a chunk, SHA-256", tokens.size(), chunk_tokens);
  report.failures += xxh3.failures;
  const Json other = BenchJson(xxh3);
  report.details = {{"tokens", tokens.size()},
                    {"chunk_tokens", chunk_tokens},
                    {"xxh3_128",
                     {{"value", other["value"]},
                      {"unit", "ms"},
                      {"ceiling", other["ceiling"]},
                      {"ratio", other["ratio"]},
                      {"ratio_range", other["ratio_range"]},
                      {"target", other["target"]}}}};
  return report;
}

}  // namespace incipit::bench
