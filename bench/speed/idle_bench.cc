// op idle: what a node costs while nobody asks anything of it.
#include <unistd.h>

#include <algorithm>

#include "bench/common/mapped_buffer.h"
#include "bench/common/stopwatch.h"
#include "bench/common/wait_written.h"
#include "bench/speed/bench.h"
#include "bench/speed/bench_rig.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kDataBytes = 64 * kMiB;
constexpr uint32_t kSettleTimeoutMs = 30'000;
constexpr useconds_t kStepUs = 100'000;
constexpr double kTargetPercent = 1;

}  // namespace

absl::StatusOr<BenchReport> RunIdleBench(const BenchOptions& options, const ProgressSink& progress) {
  if (!options.connect.empty()) {
    return absl::InvalidArgumentError("--op idle needs a node of its own, whose CPU time it can read: --spawn");
  }
  ASSIGN_OR_RETURN(const Layout layout, NamedLayout("deepseek-v4.1-flash"));
  const BlockSet set = BlockSet::Make(layout, TokensForBytes(layout, kDataBytes),
                                      [](GroupIndex, uint32_t index) { return SyntheticKey(0, index); });
  ASSIGN_OR_RETURN(const std::unique_ptr<BenchRig> rig, BenchRig::Create(options, layout,
                                                                         {.ram_bytes = 256 * kMiB * options.shards,
                                                                          .nvme_bytes = 512 * kMiB * options.shards,
                                                                          .region_bytes = 16 * kMiB}));
  ASSIGN_OR_RETURN(const MappedBuffer buffer, MappedBuffer::Create(set.bytes));
  RETURN_IF_ERROR(rig->StoreSet(set, buffer.bytes(), progress));
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, rig->Connect());
  RETURN_IF_ERROR(WaitUntilWritten(client.get(), kSettleTimeoutMs));  // after this the connection says nothing
  BenchReport report;
  report.options = options;
  report.unit = "% of one core";
  report.target_value = kTargetPercent;
  for (uint32_t sample = 0; sample < options.pairs; ++sample) {
    const double before = rig->ServerCpuSeconds();
    const Stopwatch watch;
    const double wanted_s = options.seconds / options.pairs;
    while (watch.Seconds() < wanted_s) {
      usleep(kStepUs);
      Show(progress, "watching an idle node", static_cast<uint64_t>((sample * wanted_s + watch.Seconds()) * 1e3),
           static_cast<uint64_t>(options.seconds * 1e3));
    }
    report.samples.values.Add((rig->ServerCpuSeconds() - before) / watch.Seconds() * 100);
  }
  report.details = {{"seconds", options.seconds}, {"shards", options.shards}, {"blocks", set.blocks.size()}};
  return report;
}

}  // namespace incipit::bench
