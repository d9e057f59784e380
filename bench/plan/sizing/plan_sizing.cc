#include "bench/plan/sizing/plan_sizing.h"

#include <fmt/format.h>

#include "bench/plan/job_queue.h"
#include "bench/plan/simulation_memory.h"
#include "eviction/policies.h"

namespace incipit::bench {
namespace {

class RowSizer {
 public:
  RowSizer(const PrefixTrace& trace, const PlanReport& report)
      : trace_(trace), report_(report), queue_(report.options.threads, kSimulationBudgetBytes) {}

  // The result is there once Run has returned.
  void Add(const PlanRow& row, double ram_percent, std::optional<RowSizing>* result) {
    const uint64_t ram = RamBlocksOf(row.capacity_blocks, ram_percent);
    const uint64_t requests = trace_.requests().size();
    queue_.Add({.memory_bytes =
                    2 * SimulationMemoryBytes(row.policy == "lru" ? "fifo" : row.policy, row.capacity_blocks, trace_) +
                    40 * requests,
                .steps = requests,
                .run = [this, &row, ram, result](const JobQueue::Count& count) { *result = Size(row, ram, count); }});
  }
  void Run(const ProgressSink& progress) { queue_.Run("replaying tiers", progress); }

 private:
  RowSizing Size(const PlanRow& row, uint64_t ram_blocks, const JobQueue::Count& count) const {
    const PlanOptions& options = report_.options;
    uint64_t counted = 0;
    const auto make = [&](uint64_t capacity) {
      return *MakePolicy(
          row.policy,
          {.capacity_blocks = capacity, .seed = options.seed, .by_flops = options.by_flops, .cost = report_.cost});
    };
    const std::vector<ServedRequest> served = ReplayTiers(trace_, {.capacity_blocks = row.capacity_blocks,
                                                                   .ram_blocks = ram_blocks,
                                                                   .make_policy = make,
                                                                   .progress = [&](uint64_t done) {
                                                                     count(done - counted);
                                                                     counted = done;
                                                                   }});
    count(trace_.requests().size() - counted);
    return SizeRow(trace_, served, row.capacity_blocks, ram_blocks, report_.cost, options.sizing);
  }

  const PrefixTrace& trace_;
  const PlanReport& report_;
  JobQueue queue_;
};

// The splits of one row between RAM and NVMe; what gives the same number of blocks as the one before is left out.
void TrySplits(const PrefixTrace& trace, const PlanRow& row, const ProgressSink& progress, PlanReport* report) {
  const bool has_nvme = report->options.sizing.node_nvme_bytes > 0;
  std::vector<std::optional<RowSizing>> splits(std::size(kRamPercentsTried));
  RowSizer sizer(trace, *report);
  uint64_t last_ram = 0;
  for (size_t i = 0; i < splits.size(); ++i) {
    const uint64_t ram = RamBlocksOf(row.capacity_blocks, kRamPercentsTried[i]);
    if (ram == last_ram || (!has_nvme && kRamPercentsTried[i] < 100)) continue;
    last_ram = ram;
    sizer.Add(row, kRamPercentsTried[i], &splits[i]);
  }
  sizer.Run(progress);
  Recommendation found{.policy = row.policy, .size_percent = row.size_percent};
  for (const std::optional<RowSizing>& split : splits) {
    if (split.has_value()) found.splits.push_back(*split);
  }
  std::vector<Choice> choices;
  for (const RowSizing& split : found.splits) choices.push_back({row.policy, &split});
  found.split = BestOf(choices).value_or(0);
  found.serve_command = ServeCommand(choices[found.split]);
  found.notes = NotesOn(choices[found.split]);
  report->recommendation = std::move(found);
}

}  // namespace

bool SizesRows(const PlanReport& report) {
  if (report.options.sample_percent < 100) return false;
  const SizingScope scope = report.options.sizing.scope;
  return scope == SizingScope::kAll || (scope == SizingScope::kAuto && report.block_references <= kMaxSizedReferences);
}

void SizePlan(const PrefixTrace& trace, PlanReport* report, const ProgressSink& progress) {
  if (!SizesRows(*report)) {
    if (report->options.sample_percent < 100 && report->options.sizing.scope != SizingScope::kNone) {
      report->warnings.push_back("blocks are sampled: bytes, nodes and costs, which need all of them, were left out");
    } else if (report->options.sizing.scope == SizingScope::kAuto) {
      report->warnings.push_back(
          fmt::format("over {} block references: bytes, nodes and costs were left out; --sizing all has them",
                      kMaxSizedReferences));
    }
    return;
  }
  if (report->options.shards > 1 || report->options.hint_next_use_s > 0) {
    report->warnings.push_back("bytes, nodes and costs are those of one shard without hints; hits are as asked");
  }
  RowSizer sizer(trace, *report);
  for (PlanRow& row : report->rows) {
    if (row.policy != kMinPolicy) sizer.Add(row, report->options.sizing.ram_percent, &row.sizing);
  }
  sizer.Run(progress);
  std::vector<Choice> choices;
  std::vector<const PlanRow*> rows;
  for (const PlanRow& row : report->rows) {
    if (!row.sizing.has_value()) continue;
    choices.push_back({row.policy, &*row.sizing});
    rows.push_back(&row);
  }
  const std::optional<size_t> best = BestOf(choices);
  if (best.has_value()) {
    TrySplits(trace, *rows[*best], progress, report);
  } else if (!choices.empty()) {
    report->warnings.push_back("all requests have one timestamp: nothing per second, day or hour, no recommendation");
  }
}

}  // namespace incipit::bench
