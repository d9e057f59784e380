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
#include "bench/plan/simulation_memory.h"
#include "bench/plan/sizing/plan_sizing.h"
#include "cache/base/status_macros.h"
#include "eviction/policies.h"
#include "eviction/sim/belady_min.h"
#include "eviction/sim/lru_curve.h"
#include "eviction/sim/policy_sim.h"

namespace incipit::bench {
namespace {

constexpr const char* kLru = "lru";

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
  if (!(options.sample_percent > 0 && options.sample_percent <= 100)) {
    return absl::InvalidArgumentError(
        fmt::format("--sample: {} %; allowed: over 0 % and up to 100 % of the blocks", options.sample_percent));
  }
  if (options.sample_percent < 100 && options.shards > 1) {
    return absl::InvalidArgumentError(
        "--sample and --shards: what cutting a tier costs depends on how many blocks a shard holds, so that a sample "
        "would say too much; leave one of them out");
  }
  for (const std::string& policy : options.policies) {
    if (policy == kMinPolicy) continue;
    const absl::Status made = MakePolicy(policy, {}).status();
    if (!made.ok()) return absl::NotFoundError(fmt::format("--policy: {}, min", std::string(made.message())));
  }
  return absl::OkStatus();
}

class Planner {
 public:
  Planner(const PrefixTrace& trace, PlanReport* report)
      : trace_(trace), report_(report), queue_(report->options.threads, kSimulationBudgetBytes) {}

  void Run(const ProgressSink& progress) {
    const PlanOptions& options = report_->options;
    const bool bound = NeedsBound(*report_);
    if (options.hint_next_use_s > 0 || bound) next_use_.emplace(trace_);
    for (const std::string& policy : options.policies) {
      for (const double percent : options.sizes_percent) {
        const double blocks = static_cast<double>(trace_.all_unique_blocks()) * percent / 100;
        report_->rows.push_back({.policy = policy,
                                 .size_percent = percent,
                                 .capacity_blocks = static_cast<uint64_t>(std::max(1.0, std::round(blocks)))});
      }
    }
    if (bound) AddBounds();
    // Those that take longest first, so that the threads end together.
    for (const bool is_auto : {true, false}) {
      for (size_t i = 0; i < options.policies.size(); ++i) {
        if (options.policies[i] == kMinPolicy) continue;
        if ((options.policies[i] == "auto") == is_auto) AddJobs(i * options.sizes_percent.size());
      }
    }
    queue_.Run("simulating", progress);
    for (size_t i = 0; i < report_->rows.size(); ++i) {
      if (report_->rows[i].policy == kMinPolicy) report_->rows[i] = report_->bounds[i % report_->bounds.size()];
    }
  }

 private:
  static bool NeedsBound(const PlanReport& report) {
    const std::vector<std::string>& policies = report.options.policies;
    return SizesRows(report) || std::find(policies.begin(), policies.end(), kMinPolicy) != policies.end();
  }

  void AddBounds() {
    for (size_t i = 0; i < report_->options.sizes_percent.size(); ++i) {
      report_->bounds.push_back(report_->rows[i]);
      report_->bounds.back().policy = kMinPolicy;
    }
    for (PlanRow& row : report_->bounds) {
      AddJob(row, [this, &row](const std::function<void(uint64_t)>& progress) { RunOne(&row, progress); });
    }
    // All hold the same with room for everything.
    const uint64_t everything = trace_.unique_blocks();  // of the sample, if it is one
    AddJob({.policy = kLru, .capacity_blocks = everything}, [this, everything](const auto& progress) {
      report_->endless = SimulateLru(trace_, std::span(&everything, 1), report_->cost, progress)[0];
    });
  }

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
    const uint64_t capacity = std::min(largest.capacity_blocks, trace_.InSample(largest.capacity_blocks));
    queue_.Add({.memory_bytes = SimulationMemoryBytes(largest.policy, capacity, trace_),
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
    for (const PlanRow& row : rows) capacities.push_back(trace_.InSample(row.capacity_blocks));
    const std::vector<HitTotals> totals = SimulateLru(trace_, capacities, report_->cost, progress);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].totals = totals[i];
  }

  void RunOne(PlanRow* row, const std::function<void(uint64_t)>& progress) {
    const Stopwatch watch;
    if (row->policy == kMinPolicy) {
      row->totals = SimulateMin(trace_, *next_use_, trace_.InSample(row->capacity_blocks), report_->cost, progress);
    } else {
      row->totals = Simulate(*row, progress);
    }
    row->policy_ns_per_block =
        1e9 * watch.Seconds() / static_cast<double>(std::max<uint64_t>(1, trace_.block_references()));
  }

  uint32_t SeesOneIn() const {
    return trace_.sample() == nullptr ? 1 : static_cast<uint32_t>(std::clamp(1 / trace_.sample()->rate(), 1.0, 1e6));
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
                                      .sees_one_in = SeesOneIn(),
                                      .peers = peers});
    };
    return SimulatePolicy(trace_,
                          {.capacity_blocks = trace_.InSample(row.capacity_blocks),
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
  RETURN_IF_ERROR(CheckSizing(options.sizing));
  PlanReport report;
  report.options = options;
  bool known = false;
  report.cost = CostModelOf(options.layout, &known);
  if (!known) report.warnings.push_back(fmt::format("no cost model of {}: FLOPs are those of V3", options.layout));
  ASSIGN_OR_RETURN(const PrefixTrace trace, ReadPlanWorkload(options, &report.warnings, progress));
  report.requests = trace.requests().size();
  report.block_references = trace.block_references();
  report.unique_blocks = trace.all_unique_blocks();
  report.sampled_blocks = trace.sample() != nullptr ? trace.unique_blocks() : 0;
  report.input_tokens = trace.input_tokens();
  const uint64_t span_ms = trace.requests().back().time_ms - trace.requests().front().time_ms;
  report.trace_seconds = static_cast<double>(span_ms) / 1e3;
  Planner(trace, &report).Run(progress);
  SizePlan(trace, &report, progress);
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_memory_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  report.seconds = watch.Seconds();
  return report;
}

}  // namespace incipit::bench
