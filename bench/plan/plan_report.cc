#include "bench/plan/plan_report.h"

#include <fmt/format.h>

#include <cmath>

#include "bench/plan/belady_gap.h"
#include "bench/plan/sizing/sizing_report.h"

namespace incipit::bench {
namespace {

constexpr int kNameColumns = 10, kCellColumns = 12;

std::string SourceOf(const PlanOptions& options) {
  return options.workload.empty() ? options.trace_path
                                  : fmt::format("workload {}, seed {}", options.workload, options.seed);
}

uint64_t HitTokensOf(const HitTotals& totals) {
  return static_cast<uint64_t>(std::llround(totals.TokenHitRatio() * static_cast<double>(totals.input_tokens)));
}

// What sampling makes uncertain, in points of the tokens hit.
std::string SampleText(const PlanReport& report) {
  std::string text = fmt::format("\nSampled: {} distinct blocks, {:g} % of them. Twice the standard error, points:\n",
                                 report.sampled_blocks, report.options.sample_percent);
  const size_t sizes = report.options.sizes_percent.size();
  for (size_t i = 0; i < report.rows.size(); ++i) {
    if (i % sizes == 0) text += fmt::format("{}{:<{}}", i == 0 ? "" : "\n", report.rows[i].policy, kNameColumns);
    text += fmt::format("{:>{}}", fmt::format("{:.2f}", 100 * report.rows[i].totals.TokenHitError()), kCellColumns);
  }
  return text + "\n";
}

void AddGap(const PlanReport& report, size_t row_index, Json* row) {
  const BeladyGap gap = GapOf(report, row_index);
  const HitTotals& bound = report.bounds[row_index % report.bounds.size()].totals;
  (*row)["bound_token_hit_ratio"] = bound.TokenHitRatio();
  (*row)["bound_flops_saved_ratio"] = bound.FlopsSavedRatio();
  (*row)["gap_by_policy"] = gap.by_policy;
  (*row)["gap_by_capacity"] = gap.by_capacity;
}

}  // namespace

Json PlanJson(const PlanReport& report) {
  Json rows = Json::array();
  for (size_t i = 0; i < report.rows.size(); ++i) {
    const PlanRow& row = report.rows[i];
    rows.push_back({{"policy", row.policy},
                    {"size_percent", row.size_percent},
                    {"capacity_blocks", row.capacity_blocks},
                    {"token_hit_ratio", row.totals.TokenHitRatio()},
                    {"flops_saved_ratio", row.totals.FlopsSavedRatio()},
                    {"hit_tokens", HitTokensOf(row.totals)},
                    {"simulation_ns_per_block", row.policy_ns_per_block}});
    if (report.sampled_blocks > 0) rows.back()["token_hit_error"] = row.totals.TokenHitError();
    if (!report.bounds.empty()) AddGap(report, i, &rows.back());
    if (row.sizing.has_value()) rows.back()["sizing"] = RowSizingJson(*row.sizing);
  }
  Json json;
  json["source"] = SourceOf(report.options);
  json["requests"] = report.requests;
  json["block_tokens"] = report.options.block_tokens;
  json["block_references"] = report.block_references;
  json["unique_blocks"] = report.unique_blocks;
  if (report.sampled_blocks > 0) {
    json["sample_percent"] = report.options.sample_percent;
    json["sampled_blocks"] = report.sampled_blocks;
  }
  json["input_tokens"] = report.input_tokens;
  json["trace_seconds"] = report.trace_seconds;
  json["objective"] = report.options.by_flops ? "flops" : "tokens";
  json["shards"] = report.options.shards;
  json["hint_next_use_s"] = report.options.hint_next_use_s;
  json["layout"] = report.options.layout;
  if (!report.bounds.empty()) json["endless_token_hit_ratio"] = report.endless.TokenHitRatio();
  json["assumptions"] = SizingOptionsJson(report);
  json["rows"] = std::move(rows);
  if (report.recommendation.has_value()) json["recommendation"] = RecommendationJson(*report.recommendation);
  json["warnings"] = report.warnings;
  json["seconds"] = report.seconds;
  json["peak_memory_bytes"] = report.peak_memory_bytes;
  return json;
}

std::string PlanText(const PlanReport& report) {
  const PlanOptions& options = report.options;
  std::string text = fmt::format("{}: {} requests, {} blocks of {} tokens, {} of them distinct\n", SourceOf(options),
                                 report.requests, report.block_references, options.block_tokens, report.unique_blocks);
  if (options.shards > 1) text += fmt::format("{} shards, each deciding alone\n", options.shards);
  if (options.hint_next_use_s > 0) text += fmt::format("next uses announced {} s ahead\n", options.hint_next_use_s);
  text += fmt::format("\n{:<{}}", "% hit", kNameColumns);
  for (const double percent : options.sizes_percent) {
    text += fmt::format("{:>{}}", fmt::format("{:g} %", percent), kCellColumns);
  }
  for (size_t i = 0; i < report.rows.size(); ++i) {
    const PlanRow& row = report.rows[i];
    if (i % options.sizes_percent.size() == 0) text += fmt::format("\n{:<{}}", row.policy, kNameColumns);
    text += fmt::format(
        "{:>{}}", fmt::format("{:.1f}/{:.1f}", 100 * row.totals.TokenHitRatio(), 100 * row.totals.FlopsSavedRatio()),
        kCellColumns);
  }
  text += fmt::format(
      "\n\nEach cell: tokens hit / FLOPs saved, in % of all prompts', with room for so many % of the distinct blocks.\n"
      "{:.1f} s, {} MB of memory at most\n",
      report.seconds, report.peak_memory_bytes / 1'000'000);
  if (report.sampled_blocks > 0) text += SampleText(report);
  return text + SizingText(report);
}

}  // namespace incipit::bench
