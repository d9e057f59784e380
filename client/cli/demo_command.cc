#include "client/cli/demo_command.h"

#include <iostream>
#include <memory>

#include "bench/demo/demo.h"
#include "cache/base/status_macros.h"
#include "client/cli/bench_progress.h"
#include "client/cli/byte_size.h"
#include "client/cli/json_output.h"

namespace incipit {
namespace {

struct Settings {
  bench::DemoOptions demo;
  std::string role;  // of a worker process that the demonstration started: "store" or "load"
  bench::DemoWorkerOptions worker;
  bool json = false;
};

constexpr char kFooter[] =
    "Starts a node with RAM and NVMe tiers in a temporary directory and four workers, each a process of its own:\n"
    "A stores the blocks of a prompt made of the directory's text files; B loads them; C loads what still matches\n"
    "after one file was edited; the node is killed with -9 and restarted; D loads from NVMe. The payload is made from\n"
    "tokens and layout, and every loaded byte is compared with it. Four bytes of text are one token.\n\n"
    "JSON: ok, wrong_bytes, steps [name, tokens_prompt, tokens_matched, blocks, bytes, seconds, gb_per_s, ...].\n"
    "Exit status: 0 if every worker matched exactly what it had to and no byte was wrong.";

// The part that the demonstration's worker processes play.
absl::StatusOr<int> RunWorker(Settings settings) {
  settings.worker.store = settings.role == "store";
  settings.worker.layout = settings.demo.layout;
  ASSIGN_OR_RETURN(const bench::DemoWorkerReport report, bench::RunDemoWorker(settings.worker));
  PrintJsonLine(bench::DemoWorkerJson(report));
  return kExitOk;
}

absl::StatusOr<int> Run(const Settings& settings) {
  if (!settings.role.empty()) return RunWorker(settings);
  ASSIGN_OR_RETURN(const bench::DemoReport report, bench::RunDemo(settings.demo, MakeProgressSink(!settings.json)));
  if (settings.json) {
    PrintJson(bench::DemoJson(report));
  } else {
    std::cout << bench::DemoText(report) << std::flush;
  }
  return report.ok() ? kExitOk : kExitError;
}

// Flags that only the demonstration itself gives to its workers; they stay out of the help.
void AddWorkerOptions(CLI::App* command, Settings* settings) {
  command->add_option("--worker", settings->role)->check(CLI::IsMember({"store", "load"}))->group("");
  command->add_option("--address", settings->worker.address)->group("");
  command->add_option("--prompt", settings->worker.prompt_path)->group("");
}

}  // namespace

void AddDemoCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("demo", "see a prompt shared between processes, across a kill -9 of the node");
  bench::DemoOptions* demo = &settings->demo;
  command->add_option("--dir", demo->directory, "whose text files make the prompt")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--layout", demo->layout, "layout of the KV cache")->type_name("NAME")->capture_default_str();
  command->add_option("--shards", demo->shards, "of the node")->check(CLI::Range(1, 256))->capture_default_str();
  AddByteSizeOption(command, "--max-bytes", &demo->max_payload_bytes,
                    "the prompt is cut so that its blocks are no more");
  command->add_option("--prefill-rate", demo->prefill_tokens_per_s, "tokens/s of the engine, to compare loading with")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--work-dir", demo->work_dir, "where the temporary directory is made; default: TMPDIR or /tmp")
      ->type_name("DIR");
  command->add_flag("--json", settings->json, "print JSON");
  AddWorkerOptions(command, settings.get());
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("demo", result.status(), settings->json);
  });
}

}  // namespace incipit
