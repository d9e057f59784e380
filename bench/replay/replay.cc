#include "bench/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "bench/common/private_node.h"
#include "bench/replay/capacity.h"
#include "bench/replay/plan_forecast.h"
#include "bench/replay/replay_worker.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr const char* kModel = "replay";
constexpr auto kProgressStep = std::chrono::milliseconds(100);
constexpr uint64_t kStampSlackMs = 86'400'000;  // a replay takes less

absl::StatusOr<Layout> LayoutFor(const ReplayOptions& options) {
  ASSIGN_OR_RETURN(Layout layout, CustomLayout(/*layers=*/1, options.bytes_per_token, options.trace.block_tokens));
  if (layout.groups[0].PartCount() > 1) {
    return absl::InvalidArgumentError(fmt::format(
        "a block of {} tokens x {} bytes is {} bytes, but replay handles at most {}: lower --bytes-per-token",
        options.trace.block_tokens, options.bytes_per_token, layout.groups[0].BlockBytes(), kMaxPayloadBytes));
  }
  return layout;
}

uint64_t ShareOf(uint64_t blocks, double percent) {
  return static_cast<uint64_t>(std::llround(static_cast<double>(blocks) * percent / 100));
}

// Sizes of the private node; written into the report.
void ChooseSizes(const Layout& layout, ReplayReport* report) {
  const ReplayOptions& options = report->options;
  const BlockShape shape = ShapeOf(layout, options.tenant, kModel, ReplayWorker::kKeyBytes);
  report->ram_bytes = options.ram_bytes;
  report->nvme_bytes = options.nvme_bytes;
  if (options.ram_percent.has_value()) {
    report->ram_bytes = RamBytesFor(ShareOf(report->unique_blocks, *options.ram_percent), shape, options.shards);
  }
  if (options.nvme_percent.value_or(0) > 0) {
    const NvmeSizes sizes = NvmeSizesFor(ShareOf(report->unique_blocks, *options.nvme_percent), shape, options.shards);
    report->nvme_bytes = sizes.nvme_bytes;
    report->region_bytes = sizes.region_bytes;
  } else if (options.nvme_percent.has_value()) {
    report->nvme_bytes = 0;
  } else if (report->nvme_bytes > 0) {
    report->region_bytes = RegionBytesFor(report->nvme_bytes, shape, options.shards);
  }
}

std::vector<std::string> NodeArguments(const ReplayReport& report, const Trace& trace) {
  std::vector<std::string> arguments = {"--eviction", report.options.eviction};
  if (report.options.stamps == ReplayStamps::kTrace) {
    const uint64_t span_ms = std::min(ReplayQueue::SpanMs(trace), UINT64_MAX - kStampSlackMs);
    arguments.insert(arguments.end(), {"--stamp-past-ms", std::to_string(span_ms + kStampSlackMs)});
  }
  return arguments;
}

PlanQuestion QuestionOf(const ReplayOptions& options, const Trace& trace) {
  return {.policy = options.eviction,
          .size_percent = options.ram_percent.value_or(0) + options.nvme_percent.value_or(0),
          .block_tokens = options.trace.block_tokens,
          .requests = trace.requests.size(),
          .unique_blocks = trace.unique_blocks};
}

absl::Status RunWorkers(std::vector<std::unique_ptr<ReplayWorker>>* workers, ReplayQueue* queue, uint64_t total,
                        const ProgressSink& progress) {
  std::vector<absl::Status> results(workers->size());
  std::vector<std::thread> threads;
  std::atomic<size_t> running = workers->size();
  for (size_t i = 0; i < workers->size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = (*workers)[i]->Run(queue);
      if (!results[i].ok()) queue->Stop();
      --running;
    });
  }
  while (running > 0) {
    Show(progress, "replaying", queue->taken(), total);
    std::this_thread::sleep_for(kProgressStep);
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) RETURN_IF_ERROR(result);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReplayReport> RunReplay(const ReplayOptions& options, const ProgressSink& progress) {
  ReplayReport report;
  report.options = options;
  ASSIGN_OR_RETURN(const Trace trace, ReadTrace(options.trace_path, options.trace));
  ASSIGN_OR_RETURN(const Layout layout, LayoutFor(options));
  if (!options.against.empty()) {
    ASSIGN_OR_RETURN(const std::string plan, ReadPlanFile(options.against));
    ASSIGN_OR_RETURN(report.predicted_hit_ratio, PredictedHitRatio(plan, QuestionOf(options, trace)));
  }
  report.unique_blocks = trace.unique_blocks;
  report.block_bytes = layout.groups[0].BlockBytes();
  std::unique_ptr<PrivateNode> node;
  if (options.connect.empty() && options.cluster.empty()) {
    ChooseSizes(layout, &report);
    ASSIGN_OR_RETURN(node, PrivateNode::Start({.work_dir = options.work_dir,
                                               .shards = options.shards,
                                               .ram_bytes = report.ram_bytes,
                                               .nvme_bytes = report.nvme_bytes,
                                               .region_bytes = report.region_bytes,
                                               .more_arguments = NodeArguments(report, trace)}));
  }
  std::vector<std::unique_ptr<ReplayWorker>> workers;
  for (uint16_t i = 0; i < options.workers; ++i) {
    ClientOptions client;
    client.address = node != nullptr ? node->address() : options.connect;
    client.tenant = options.tenant;
    client.secret_file = options.secret_file;
    client.model = kModel;
    client.layout = layout;
    client.client_name = fmt::format("replay-{}", i);
    client.progress = Progress::kCaller;
    ASSIGN_OR_RETURN(
        std::unique_ptr<ReplayWorker> worker,
        ReplayWorker::Create(std::move(client), options.cluster, trace.longest_chain, options.interval_ms));
    workers.push_back(std::move(worker));
  }
  const double cpu_before = node != nullptr ? node->process()->CpuSeconds() : 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ns = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  ReplayQueue queue(&trace, options.speed, options.stamps, now_ns);
  const Stopwatch watch;
  RETURN_IF_ERROR(RunWorkers(&workers, &queue, trace.requests.size(), progress));
  report.seconds = watch.Seconds();
  if (node != nullptr) report.server_cpu_s = node->process()->CpuSeconds() - cpu_before;
  for (const std::unique_ptr<ReplayWorker>& worker : workers) report.counts.Merge(worker->counts());
  return report;
}

}  // namespace incipit::bench
