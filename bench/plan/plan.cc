#include "bench/plan/plan.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "bench/common/stopwatch.h"
#include "bench/plan/job_queue.h"
#include "bench/plan/plan_workload.h"
#include "cache/base/status_macros.h"
#include "eviction/ghost_table.h"
#include "eviction/policies.h"
#include "eviction/sim/belady_min.h"
#include "eviction/sim/lru_curve.h"
#include "eviction/sim/policy_sim.h"

namespace incipit::bench {
namespace {

constexpr const char* kLru = "lru";
constexpr uint64_t kMemoryBudgetBytes = uint64_t{1300} << 20;  // of simulations that run at one time

absl::Status Check(const PlanOptions& options) {
  if (options.policies.empty() || options.sizes_percent.empty()) {
    return absl::InvalidArgumentError("a plan needs a policy and a size");
  }
  for (const double percent : options.sizes_percent) {
    if (percent > 0 && percent <= 100) continue;
    return absl::InvalidArgumentError(
        fmt::format("--sizes: {} %; allowed: over 0 % and up to 100 % of the distinct blocks", percent));
  }
  if (options.shards == 0 || options.shards > kMaxPlanShards) {
    return absl::InvalidArgumentError(fmt::format("--shards: {}; allowed: 1 to {}", options.shards, kMaxPlanShards));
  }
  if (!(options.hint_next_use_s >= 0 && options.hint_next_use_s <= 1e6)) {
    return absl::InvalidArgumentError(
        fmt::format("--hint-next-use-s: {}; allowed: 0 to 1000000", options.hint_next_use_s));
  }
  for (const std::string& policy : options.policies) {
    if (policy == kMinPolicy) continue;
    const absl::Status made = MakePolicy(policy, {}).status();
    if (!made.ok()) return absl::NotFoundError(fmt::format("--policy: {}, min", std::string(made.message())));
  }
  return absl::OkStatus();
}

// At most, of one simulation beside the trace.
uint64_t MemoryOf(const std::string& policy, uint64_t capacity, const PrefixTrace& trace) {
  const uint64_t unique = trace.unique_blocks();
  const uint64_t held = capacity + trace.longest_chain();
  const uint64_t ghosts = std::min({uint64_t{kMaxGhosts}, kGhostsPerBlock * capacity, unique});
  const uint64_t learning = 64 * held + 64 * ghosts;  // bytes; arrays may have grown to twice what they hold
  if (policy == kMinPolicy || policy == kLru) return 4 * unique + 32 * trace.requests().size();
  uint64_t bytes = 5 * unique + 16 * held;
  if (policy == "auto") {
    const uint64_t known = std::min(unique, 3 * held);
    bytes += 180 * known + 3 * learning;
  } else if (policy.starts_with("gil") || policy == "lfu-kept") {
    bytes += learning;
  } else {
    bytes += 96 * held + 40 * std::min(ghosts, capacity);
  }
  return bytes;
}

class Planner {
 public:
  Planner(const PrefixTrace& trace, PlanReport* report)
      : trace_(trace), report_(report), queue_(report->options.threads, kMemoryBudgetBytes) {}

  void Run(const ProgressSink& progress) {
    const PlanOptions& options = report_->options;
    const bool needs_future = options.hint_next_use_s > 0 || std::find(options.policies.begin(), options.policies.end(),
                                                                       kMinPolicy) != options.policies.end();
    if (needs_future) next_use_.emplace(trace_);
    for (const std::string& policy : options.policies) {
      for (const double percent : options.sizes_percent) {
        const double blocks = static_cast<double>(trace_.unique_blocks()) * percent / 100;
        report_->rows.push_back({.policy = policy,
                                 .size_percent = percent,
                                 .capacity_blocks = static_cast<uint64_t>(std::max(1.0, std::round(blocks)))});
      }
    }
    // Those that take longest first, so that the threads end together.
    for (const bool is_auto : {true, false}) {
      for (size_t i = 0; i < options.policies.size(); ++i) {
        if ((options.policies[i] == "auto") == is_auto) AddJobs(i * options.sizes_percent.size());
      }
    }
    queue_.Run("simulating", progress);
  }

 private:
  void AddJobs(size_t first_row) {
    const size_t sizes = report_->options.sizes_percent.size();
    if (report_->rows[first_row].policy == kLru && report_->options.shards == 1) {
      const std::span<PlanRow> rows(&report_->rows[first_row], sizes);
      AddJob(rows.back(), [this, rows](const std::function<void(uint64_t)>& progress) { RunLru(rows, progress); });
      return;
    }
    for (size_t i = first_row + sizes; i-- > first_row;) {
      PlanRow* row = &report_->rows[i];
      AddJob(*row, [this, row](const std::function<void(uint64_t)>& progress) { RunOne(row, progress); });
    }
  }

  void AddJob(const PlanRow& largest, std::function<void(const std::function<void(uint64_t)>&)> run) {
    const uint64_t requests = trace_.requests().size();
    queue_.Add({.memory_bytes = MemoryOf(largest.policy, largest.capacity_blocks, trace_),
                .steps = requests,
                .run = [run = std::move(run), requests](const JobQueue::Count& count) {
                  uint64_t counted = 0;
                  run([&](uint64_t done) {
                    count(done - counted);
                    counted = done;
                  });
                  count(requests - counted);
                }});
  }

  void RunLru(std::span<PlanRow> rows, const std::function<void(uint64_t)>& progress) {
    std::vector<uint64_t> capacities;
    for (const PlanRow& row : rows) capacities.push_back(row.capacity_blocks);
    const std::vector<HitTotals> totals = SimulateLru(trace_, capacities, report_->cost, progress);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].totals = totals[i];
  }

  void RunOne(PlanRow* row, const std::function<void(uint64_t)>& progress) {
    const Stopwatch watch;
    if (row->policy == kMinPolicy) {
      row->totals = SimulateMin(trace_, *next_use_, row->capacity_blocks, report_->cost, progress);
    } else {
      row->totals = Simulate(*row, progress);
    }
    row->policy_ns_per_block =
        1e9 * watch.Seconds() / static_cast<double>(std::max<uint64_t>(1, trace_.block_references()));
  }

  HitTotals Simulate(const PlanRow& row, const std::function<void(uint64_t)>& progress) const {
    const PlanOptions& options = report_->options;
    // As in a node, whose shards decide alone and learn together.
    const std::shared_ptr<PolicyPeers> peers =
        options.shards > 1 ? std::make_shared<PolicyPeers>(options.shards) : nullptr;
    const auto make = [&](size_t capacity, uint32_t shard) {
      return *MakePolicy(row.policy, {.capacity_blocks = capacity,
                                      .seed = options.seed + shard,
                                      .by_flops = options.by_flops,
                                      .cost = report_->cost,
                                      .peers = peers});
    };
    return SimulatePolicy(trace_,
                          {.capacity_blocks = row.capacity_blocks,
                           .shards = options.shards,
                           .cost = report_->cost,
                           .hint_ns = static_cast<uint64_t>(options.hint_next_use_s * 1e9),
                           .next_use = next_use_.has_value() ? &*next_use_ : nullptr,
                           .progress = progress},
                          make)
        .totals;
  }

  const PrefixTrace& trace_;
  PlanReport* report_;
  std::optional<NextUse> next_use_;
  JobQueue queue_;
};

}  // namespace

absl::StatusOr<PlanReport> RunPlan(const PlanOptions& options, const ProgressSink& progress) {
  const Stopwatch watch;
  RETURN_IF_ERROR(Check(options));
  PlanReport report;
  report.options = options;
  bool known = false;
  report.cost = CostModelOf(options.layout, &known);
  if (!known) report.warnings.push_back(fmt::format("no cost model of {}: FLOPs are those of V3", options.layout));
  ASSIGN_OR_RETURN(const PrefixTrace trace, ReadPlanWorkload(options, &report.warnings, progress));
  report.requests = trace.requests().size();
  report.block_references = trace.block_references();
  report.unique_blocks = trace.unique_blocks();
  report.input_tokens = trace.input_tokens();
  const uint64_t span_ms = trace.requests().back().time_ms - trace.requests().front().time_ms;
  report.trace_seconds = static_cast<double>(span_ms) / 1e3;
  Planner(trace, &report).Run(progress);
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_memory_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  report.seconds = watch.Seconds();
  return report;
}

}  // namespace incipit::bench
