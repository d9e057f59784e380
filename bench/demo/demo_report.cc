// How the demonstration's findings are told: JSON for scripts, a table and a few sentences for people.
#include <fmt/format.h>

#include <algorithm>

#include "bench/common/percentiles.h"
#include "bench/demo/demo.h"

namespace incipit::bench {
namespace {

double GbPerSecond(const DemoWorkerReport& report) {
  return report.seconds > 0 ? static_cast<double>(report.bytes) / 1e9 / report.seconds : 0;
}

// What the engine would have spent on the tokens that were loaded (or, for the first worker, did spend).
double ComputeSeconds(const DemoReport& report, const DemoStep& step) {
  const uint64_t tokens = step.name == "store" ? step.report.tokens_prompt : step.report.tokens_matched;
  return static_cast<double>(tokens) / report.options.prefill_tokens_per_s;
}

}  // namespace

uint64_t DemoReport::WrongBytes() const {
  uint64_t wrong = 0;
  for (const DemoStep& step : steps) wrong += step.report.wrong_bytes;
  return wrong;
}

bool DemoReport::ok() const {
  return steps.size() == 4 && std::all_of(steps.begin(), steps.end(), [](const DemoStep& step) { return step.ok; });
}

Json DemoJson(const DemoReport& report) {
  Json steps = Json::array();
  for (const DemoStep& step : report.steps) {
    steps.push_back({{"name", step.name},
                     {"ok", step.ok},
                     {"worker", step.worker},
                     {"process_id", step.report.process_id},
                     {"tokens_prompt", step.report.tokens_prompt},
                     {"tokens_matched", step.report.tokens_matched},
                     {"tokens_expected", step.tokens_expected},
                     {"blocks", step.report.blocks},
                     {"blocks_from_nvme", step.report.blocks_from_nvme},
                     {"failed_blocks", step.report.failed_blocks},
                     {"bytes", step.report.bytes},
                     {"seconds", Rounded(step.report.seconds, 6)},
                     {"gb_per_s", Rounded(GbPerSecond(step.report), 3)},
                     {"recompute_seconds", Rounded(ComputeSeconds(report, step), 3)},
                     {"wrong_bytes", step.report.wrong_bytes}});
  }
  return {{"ok", report.ok()},
          {"wrong_bytes", report.WrongBytes()},
          {"steps", std::move(steps)},
          {"directory", report.options.directory},
          {"layout", report.options.layout},
          {"files", report.files},
          {"prompt_bytes", report.prompt_bytes},
          {"edited_file", report.edited_file},
          {"prefill_tokens_per_s", report.options.prefill_tokens_per_s},
          {"settle_seconds", Rounded(report.settle_seconds, 3)},
          {"restart_seconds", Rounded(report.restart_seconds, 3)}};
}

std::string DemoText(const DemoReport& report) {
  std::string text =
      fmt::format("Prompt: {} files of {}, {:.2f} MB of text; layout {}.\n\n", report.files, report.options.directory,
                  static_cast<double>(report.prompt_bytes) / 1e6, report.options.layout);
  text += fmt::format("{:<6} {:>9} {:>9} {:>7} {:>9} {:>8} {:>7} {:>11} {:>6}  {}\n", "worker", "tokens", "matched",
                      "blocks", "MB", "seconds", "GB/s", "recompute s", "wrong", "what happened");
  for (const DemoStep& step : report.steps) {
    text += fmt::format("{:<6} {:>9} {:>9} {:>7} {:>9.1f} {:>8.3f} {:>7.2f} {:>11.2f} {:>6}  {}{}\n", step.worker,
                        step.report.tokens_prompt, step.report.tokens_matched, step.report.blocks,
                        static_cast<double>(step.report.bytes) / 1e6, step.report.seconds, GbPerSecond(step.report),
                        ComputeSeconds(report, step), step.report.wrong_bytes, step.tells, step.ok ? "" : "  <- WRONG");
    if (!step.ok) {
      text += fmt::format("       expected {} tokens to match; {} blocks failed, {} of {} came from NVMe\n",
                          step.tokens_expected, step.report.failed_blocks, step.report.blocks_from_nvme,
                          step.report.blocks);
    }
  }
  text += fmt::format(
      "\nEach worker is a process of its own; they share only the node. Every loaded byte was compared with what the\n"
      "prompt's tokens say it must be. \"recompute s\" is the prefill of the matched tokens (for A: of all) at {:.0f}\n"
      "tokens/s; tokens after the last whole block always have to be computed. The node was killed with -9 once its\n"
      "blocks were written behind to NVMe (after {:.2f} s) and served again {:.2f} s after its restart.\n",
      report.options.prefill_tokens_per_s, report.settle_seconds, report.restart_seconds);
  text += report.ok() ? "All bytes were right.\n" : "SOMETHING WENT WRONG: see the marked lines.\n";
  return text;
}

}  // namespace incipit::bench
