// op auth: what credentials cost a load. The ceiling is the same load from a node that asks for none.
#include <fmt/format.h>

#include <fstream>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/common/temp_dir.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"
#include "transport/auth/secret_file.h"

namespace incipit::bench {
namespace {

constexpr char kTenant[] = "bench";
constexpr double kTarget = 0.99;

class AuthBench {
 public:
  AuthBench(const BenchOptions& options, const ProgressSink& progress) : options_(options), progress_(progress) {}

  absl::StatusOr<BenchReport> Run() {
    RETURN_IF_ERROR(Prepare());
    for (uint32_t pair = 0; pair < options_.pairs; ++pair) {
      Show(progress_, "measuring", pair, options_.pairs);
      // In turn first and second, so that neither always follows the other.
      double with = 0, without = 0;
      for (const bool authenticated : {pair % 2 == 0, pair % 2 != 0}) {
        double& measured = authenticated ? with : without;
        ASSIGN_OR_RETURN(measured, Measure(authenticated ? *authenticated_ : *open_));
      }
      report_.samples.AddRates(with, without);
    }
    report_.options = options_;
    report_.unit = "GB/s";
    report_.ceiling_name = "the same loads from a node without tenants";
    report_.target_ratio = kTarget;
    report_.latency_of = fmt::format("one Load of up to {} bytes", options_.batch_bytes);
    report_.details = {{"blocks", set_.blocks.size()}, {"bytes_per_pass", set_.bytes}, {"shards", options_.shards}};
    return std::move(report_);
  }

 private:
  absl::Status Prepare() {
    if (!options_.connect.empty()) {
      return absl::InvalidArgumentError("--op auth compares two nodes of its own: leave out --connect");
    }
    ASSIGN_OR_RETURN(const Layout layout, NamedLayout(options_.layout, options_.block_tokens));
    const uint64_t space = FreshKeySpace();
    set_ = BlockSet::Make(layout, options_.tokens > 0 ? options_.tokens : TokensForBytes(layout, options_.data_bytes),
                          [&](GroupIndex group, uint32_t index) { return SyntheticKey(space + group, index); });
    if (set_.blocks.empty()) return absl::InvalidArgumentError("--tokens is less than one restorable step");
    uint64_t largest = 0;
    for (const PlannedBlock& block : set_.blocks) largest = std::max(largest, block.bytes);
    ASSIGN_OR_RETURN(buffer_, MappedBuffer::Create(std::max(std::min(options_.buffer_bytes, set_.bytes), largest)));
    RigSizes sizes{.ram_bytes = set_.bytes + set_.bytes / 8 + 64 * kMiB * options_.shards};
    Show(progress_, "starting two nodes", 0, 1);
    ASSIGN_OR_RETURN(open_, BenchRig::Create(options_, layout, sizes));
    ASSIGN_OR_RETURN(sizes.more_arguments, MakeTenant());
    BenchOptions with = options_;
    with.tenant = kTenant;
    with.secret_file = dir_->path() + "/secret";
    ASSIGN_OR_RETURN(authenticated_, BenchRig::Create(with, layout, sizes));
    for (const auto& rig : {open_.get(), authenticated_.get()}) {
      RETURN_IF_ERROR(rig->StoreSet(set_, buffer_.bytes(), progress_));
    }
    return absl::OkStatus();
  }

  // A tenant with its secret; gives the node's arguments.
  absl::StatusOr<std::vector<std::string>> MakeTenant() {
    ASSIGN_OR_RETURN(TempDir dir, TempDir::Create(options_.work_dir));
    dir_.emplace(std::move(dir));
    RETURN_IF_ERROR(WriteNewSecretFile(dir_->path() + "/secret"));
    const std::string path = dir_->path() + "/tenants.toml";
    std::ofstream file(path);
    file << "[[tenant]]\nname = \"" << kTenant << "\"\nsecret_file = \"secret\"\n" << std::flush;
    std::error_code error;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read, error);
    if (!file || error) return absl::UnavailableError(fmt::format("{}: cannot be written", path));
    return std::vector<std::string>{"--tenants", path};
  }

  // GB/s of one pass over all blocks. Only the client's calls are timed; every byte is verified in between.
  absl::StatusOr<double> Measure(const BenchRig& rig) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig.Connect());
    double seconds = 0;
    for (const std::span<const PlannedBlock> round : CutIntoBatches(set_.blocks, buffer_.bytes().size())) {
      std::vector<LoadRequest> requests = PlanLoads(set_, round, options_.batch_bytes, buffer_.bytes());
      std::vector<LoadResult> results;
      const Stopwatch whole;
      for (LoadRequest& request : requests) {
        const Stopwatch watch;
        ASSIGN_OR_RETURN(LoadResult result, client->Load(std::move(request)));
        if (&rig == authenticated_.get()) report_.latency_us.Add(watch.Microseconds());
        results.push_back(std::move(result));
      }
      seconds += whole.Seconds();
      const LoadCheck check = CheckLoads(round, results, buffer_.bytes());
      report_.wrong_bytes += check.wrong_bytes;
      report_.failures += check.missed;
    }
    return static_cast<double>(set_.bytes) / 1e9 / seconds;
  }

  const BenchOptions& options_;
  const ProgressSink& progress_;
  BenchReport report_;
  BlockSet set_;
  MappedBuffer buffer_;
  std::optional<TempDir> dir_;
  std::unique_ptr<BenchRig> open_, authenticated_;
};

}  // namespace

absl::StatusOr<BenchReport> RunAuthBench(const BenchOptions& options, const ProgressSink& progress) {
  return AuthBench(options, progress).Run();
}

}  // namespace incipit::bench
