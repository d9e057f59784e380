#include "client/cli/plan_command.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "bench/plan/plan.h"
#include "bench/plan/plan_report.h"
#include "bench/plan/report/html_report.h"
#include "bench/workloads/workloads.h"
#include "cache/base/processors.h"
#include "cache/base/status_macros.h"
#include "cache/format/layout.h"
#include "client/cli/bench_progress.h"
#include "client/cli/json_output.h"
#include "client/cli/layout_option.h"
#include "client/cli/plan_sizing_options.h"
#include "client/layouts/layouts.h"
#include "client/src/codec/coding_options.h"
#include "eviction/policies.h"

namespace incipit {
namespace {

struct Settings {
  bench::PlanOptions plan;
  std::string policies = "lru,gil,auto,min";
  std::string sizes = "1%,2%,5%,10%,20%,50%";
  std::string objective = "tokens";
  std::string sample = "100%";
  std::string html_path;
  bool json = false;
};

constexpr char kFooter[] =
    "A request hits the blocks of its prompt before the first missing one; then all its blocks are held. Sizes are "
    "per\n"
    "cent of the trace's distinct blocks. A trace is one JSON object a line: timestamp (ms), input_length, "
    "output_length,\n"
    "hash_ids (one per block); ids of contents and ids of openings both work. Malformed lines are reported and left "
    "out,\n"
    "or end the command with --strict. Exact, unless --sample says otherwise.\n\n"
    "Policies: fifo, lru (leaf first), lfu, lfu-kept (counts survive eviction), s3-fifo (threshold 1), sieve, arc,\n"
    "w-tinylfu, gdsf, gil (learns when blocks of a kind come back), gil-cost (and values depth), auto (the better "
    "of\n"
    "lru and gil so far), min (what no policy exceeds; never sharded).\n\n"
    "Examples:\n"
    "  incipit plan --trace conversation.jsonl --policy lru,auto,min --sizes 1%,5%,20%\n"
    "  incipit plan --trace conversation.jsonl --policy auto --objective flops --layout deepseek-v3.2 --json\n"
    "  incipit plan --workload agentic --seed 7 --policy lru,gil,min --hint-next-use-s 10\n"
    "  incipit plan --trace conversation.jsonl --policy lru,auto --gpu h200 --slo-ttft-ms 5000 --html report.html\n"
    "  incipit plan --trace conversation.jsonl --policy lru --codec bf16-lossless-fast\n\n"
    "Ends with a recommendation: the size that saves most GPU hours for its price among those that keep the SLO and "
    "the\n"
    "endurance of the drives, and the command that starts a node. Formulas and defaults: docs/planner.md.\n\n"
    "JSON: unique_blocks, rows [{policy, size_percent, token_hit_ratio, flops_saved_ratio, gap_by_policy,\n"
    "gap_by_capacity, sizing}], recommendation, seconds, peak_memory_bytes, warnings, and more. Exit status: 0 if the "
    "plan was made.";

void AddWorkloadOptions(CLI::App* command, bench::PlanOptions* plan) {
  CLI::Option* trace =
      command->add_option("--trace", plan->trace_path, "the trace, one JSON object a line")->type_name("FILE");
  command
      ->add_option("--workload", plan->workload,
                   absl::StrCat("a generated workload instead: ", absl::StrJoin(bench::WorkloadNames(), ", ")))
      ->type_name("NAME")
      ->excludes(trace);
  command->add_option("--seed", plan->seed, "of the workload, and of policies that draw")->capture_default_str();
  command->add_option("--block-tokens", plan->block_tokens, "tokens that one id of the trace stands for")
      ->check(CLI::Range(1u, kMaxBlockTokens))
      ->capture_default_str();
  command->add_flag("--strict", plan->strict, "stop at the first malformed line of the trace");
}

void AddPlanOptions(CLI::App* command, Settings* settings) {
  bench::PlanOptions* plan = &settings->plan;
  command->add_option("--policy", settings->policies, "policies, separated by commas; see below")
      ->type_name("LIST")
      ->capture_default_str();
  command->add_option("--sizes", settings->sizes, "per cent of the distinct blocks, separated by commas")
      ->type_name("LIST")
      ->capture_default_str();
  command->add_option("--objective", settings->objective, "what auto strives for")
      ->check(CLI::IsMember({"tokens", "flops"}))
      ->capture_default_str();
  command
      ->add_option("--layout", plan->layout,
                   absl::StrCat("model whose FLOPs and bytes count: ", absl::StrJoin(LayoutNames(), ", "),
                                ", or custom:LAYERSxBYTES (bytes per token and layer)"))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--shards", plan->shards, "the tier is cut into so many, each of which decides alone")
      ->check(CLI::Range(1u, bench::kMaxPlanShards))
      ->capture_default_str();
  command
      ->add_option("--hint-next-use-s", plan->hint_next_use_s,
                   "gil, gil-cost and auto are told of requests so many seconds ahead; 0 = not at all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--sample", settings->sample,
                   "simulate so many per cent of the blocks, and say how far off that may be: for workloads whose "
                   "blocks memory does not hold")
      ->type_name("PERCENT")
      ->capture_default_str();
  command->add_option("--threads", plan->threads, "simulations at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

absl::StatusOr<double> ParsePercent(absl::string_view flag, absl::string_view text) {
  double percent = 0;
  const absl::string_view number = absl::StripAsciiWhitespace(absl::StripSuffix(absl::StripAsciiWhitespace(text), "%"));
  if (absl::SimpleAtod(number, &percent) && percent > 0 && percent <= 100) return percent;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": \"", text, "\" is no share; write per cent over 0 and up to 100, as 1% or 2.5%"));
}

// Groups of the layout that the codec does not take are stored as they are.
absl::Status SuitCodec(const Layout& layout, bench::PlanCodec* codec) {
  const std::vector<std::string> known = bench::PlanCodecNames();
  if (std::find(known.begin(), known.end(), codec->name) == known.end()) return absl::OkStatus();  // a ratio
  RETURN_IF_ERROR(CheckCodec(codec->name, layout));
  ASSIGN_OR_RETURN(const CodecOptions options, ParseCodec(codec->name));
  double raw = 0, stored = 0;
  for (const GroupSpec& group : layout.groups) {
    if (group.rule != HitRule::kAll) continue;
    const double bytes = static_cast<double>(group.BlockBytes()) / group.block_tokens;
    raw += bytes;
    stored += CodesGroup(options, group) ? bytes / codec->ratio : bytes;
  }
  if (stored > 0) codec->ratio = raw / stored;
  return absl::OkStatus();
}

absl::StatusOr<int> Run(const Settings& settings) {
  bench::PlanOptions options = settings.plan;
  if (options.trace_path.empty() && options.workload.empty()) {
    return absl::InvalidArgumentError("give --trace FILE, or --workload NAME");
  }
  for (const absl::string_view name : absl::StrSplit(settings.policies, ',', absl::SkipWhitespace())) {
    options.policies.emplace_back(absl::StripAsciiWhitespace(name));
  }
  ASSIGN_OR_RETURN(options.sizes_percent, ParsePercentList(settings.sizes));
  ASSIGN_OR_RETURN(options.sample_percent, ParsePercent("--sample", settings.sample));
  options.by_flops = settings.objective == "flops";
  ASSIGN_OR_RETURN(const Layout layout, LayoutOption{.name = options.layout}.Resolve());
  options.sizing.bytes_per_token = layout.BytesPerToken();
  RETURN_IF_ERROR(SuitCodec(layout, &options.sizing.codec));
  ASSIGN_OR_RETURN(bench::PlanReport report, bench::RunPlan(options, MakeProgressSink(true)));
  if (std::any_of(layout.groups.begin(), layout.groups.end(),
                  [](const GroupSpec& group) { return group.rule != HitRule::kAll; })) {
    report.warnings.push_back(absl::StrCat("bytes of ", options.layout,
                                           " are those that grow with the prompt; windows and states come on top"));
  }
  for (const std::string& warning : report.warnings) std::cerr << "incipit plan: " << warning << "\n";
  if (!settings.html_path.empty()) RETURN_IF_ERROR(bench::WritePlanHtml(report, settings.html_path));
  if (settings.json) {
    PrintJson(bench::PlanJson(report));
  } else {
    std::cout << bench::PlanText(report) << std::flush;
  }
  return kExitOk;
}

}  // namespace

absl::StatusOr<std::vector<double>> ParsePercentList(const std::string& text) {
  std::vector<double> percents;
  for (const absl::string_view item : absl::StrSplit(text, ',')) {
    ASSIGN_OR_RETURN(const double percent, ParsePercent("--sizes", item));
    percents.push_back(percent);
  }
  return percents;
}

void AddPlanCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  settings->plan.sizing.scope = bench::SizingScope::kAuto;
  settings->plan.threads = std::min(UsableProcessors(), 64u);
  CLI::App* command = app.add_subcommand("plan", "forecast hits of policies at sizes from a trace of requests");
  AddWorkloadOptions(command, &settings->plan);
  AddPlanOptions(command, settings.get());
  AddPlanSizingOptions(command, &settings->plan.sizing);
  command->add_option("--html", settings->html_path, "also write a report with charts there, one file for any browser")
      ->type_name("FILE");
  command->add_flag("--json", settings->json, "print JSON");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("plan", result.status(), settings->json);
  });
}

}  // namespace incipit
