#include "client/cli/replay_command.h"

#include <iostream>
#include <memory>

#include "bench/replay/replay.h"
#include "cache/base/status_macros.h"
#include "cache/format/layout.h"
#include "client/cli/bench_progress.h"
#include "client/cli/byte_size.h"
#include "client/cli/common_options.h"
#include "client/cli/json_output.h"
#include "eviction/policies.h"

namespace incipit {
namespace {

struct Settings {
  bench::ReplayOptions replay;
  std::string stamps = "now";
  bool spawn = false;
  bool json = false;
};

constexpr char kFooter[] =
    "For each request a worker matches the whole prompt, loads the leading blocks that are there, verifies their\n"
    "bytes, and stores the rest; all with one stamp. A trace is one JSON object a line: timestamp (ms), input_length,\n"
    "output_length, hash_ids (one per block). Percentages count blocks that the tier holds, headers and rounding\n"
    "included. token_hit_ratio: tokens in leading runs of hits over all input tokens.\n\n"
    "Examples:\n"
    "  incipit replay --trace conversation.jsonl --ram-percent 2 --nvme-percent 8 --spawn\n"
    "  incipit replay --trace conversation.jsonl --connect tcp://10.0.0.5:9400 --speed 1\n"
    "  incipit replay --trace conversation.jsonl --cluster tcp://10.0.0.5:9400 --interval-ms 5000 --json\n"
    "  incipit plan --trace conversation.jsonl --policy lru --sizes 10% --shards 4 --json > plan.json\n"
    "  incipit replay --trace conversation.jsonl --ram-percent 2 --nvme-percent 8 --against plan.json\n\n"
    "JSON: requests, blocks, token_hit_ratio, wrong_bytes, gb_per_s, latency_us {p50, p99, p999}, and more.\n"
    "With --against the size is --ram-percent and --nvme-percent together; more fields: predicted_token_hit_ratio,\n"
    "deviation_points, tolerance_points.\n"
    "With --interval-ms: intervals [start_s, requests, token_hit_ratio, latency_us, ...]; with --cluster:\n"
    "failed_requests, whose calls gave an error (a node that is away costs hits, and is none).\n"
    "Exit status: 0 if all requests were replayed, every byte was right, and the hit ratio was as forecast.";

void AddTraceOptions(CLI::App* command, Settings* settings) {
  bench::ReplayOptions* options = &settings->replay;
  command->add_option("--trace", options->trace_path, "the trace, one JSON object a line")
      ->required()
      ->type_name("FILE");
  command->add_option("--block-tokens", options->trace.block_tokens, "tokens that one id of the trace stands for")
      ->check(CLI::Range(1u, kMaxBlockTokens))
      ->capture_default_str();
  command->add_option("--bytes-per-token", options->bytes_per_token, "payload of one token, scaled down from a model's")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  command->add_flag("--rekey", options->trace.rekey,
                    "ids name the contents of blocks, not openings: hash each together with its parent");
  command->add_option("--requests", options->trace.max_requests, "replay only so many; 0 = all")->capture_default_str();
  command->add_option("--workers", options->workers, "that work at the same time, each with its own connections")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--speed", options->speed, "1 = the trace's own pace, 10 = ten times that; 0 = as fast as possible")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--stamps", settings->stamps,
                   "time that requests carry: the trace's own, up to now (a node takes it if its --stamp-past-ms "
                   "reaches back as far, as a private one's does), or that of the replay")
      ->check(CLI::IsMember({"trace", "now"}).description(""))
      ->type_name("trace|now")
      ->capture_default_str();
}

void AddIntervalOption(CLI::App* command, bench::ReplayOptions* options) {
  command
      ->add_option("--interval-ms", options->interval_ms,
                   "also report hit ratio and latency of each interval of so many milliseconds; 0 = not")
      ->type_name("N")
      ->check(CLI::Range(0, 3'600'000).description(""))
      ->capture_default_str();
}

void AddNodeOptions(CLI::App* command, Settings* settings) {
  bench::ReplayOptions* options = &settings->replay;
  CLI::Option* connect = command->add_option("--connect", options->connect, "a running node")->type_name("ADDRESS");
  AddClusterOption(command, connect, &options->cluster);
  command->add_option("--tenant", options->tenant, "whose blocks they are")->type_name("NAME")->capture_default_str();
  AddSecretFileOption(command, &options->secret_file);
  command->add_flag("--spawn", settings->spawn, "a private node in a temporary directory (the default)")
      ->excludes(connect);
  command->add_option("--shards", options->shards, "of the private node")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  CLI::Option* ram = AddByteSizeOption(command, "--ram-bytes", &options->ram_bytes, "RAM tier of the private node");
  CLI::Option* nvme =
      AddByteSizeOption(command, "--nvme-bytes", &options->nvme_bytes, "NVMe tier of the private node; 0 = none");
  command->add_option("--ram-percent", options->ram_percent, "RAM tier, in per cent of the trace's unique blocks")
      ->check(CLI::Range(0.0, 1000.0))
      ->excludes(ram);
  command->add_option("--nvme-percent", options->nvme_percent, "NVMe tier, in per cent of the trace's unique blocks")
      ->check(CLI::Range(0.0, 1000.0))
      ->excludes(nvme);
  command
      ->add_option("--eviction", options->eviction,
                   "policy of the private node's tiers; with --connect and --against, that of the node")
      ->type_name("NAME")
      ->check(CLI::IsMember(PolicyNames()).description(""))
      ->capture_default_str();
  CLI::Option* against =
      command->add_option("--against", options->against,
                          "a report of `incipit plan --json` of the same trace: compare its forecast "
                          "for this policy and size with what is measured");
  against->type_name("FILE");
  command
      ->add_option("--tolerance", options->tolerance_points,
                   "points of the token hit ratio that forecast and measurement may differ by")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(against)
      ->capture_default_str();
  command->add_option("--work-dir", options->work_dir, "where the temporary directory is made; default: TMPDIR or /tmp")
      ->type_name("DIR");
}

absl::StatusOr<int> Run(const Settings& settings) {
  bench::ReplayOptions options = settings.replay;
  if (settings.stamps == "trace") options.stamps = bench::ReplayStamps::kTrace;
  ASSIGN_OR_RETURN(const bench::ReplayReport report, bench::RunReplay(options, MakeProgressSink(!settings.json)));
  if (settings.json) {
    PrintJson(bench::ReplayJson(report));
  } else {
    std::cout << bench::ReplayText(report) << std::flush;
  }
  return report.ok() ? kExitOk : kExitError;
}

}  // namespace

void AddReplayCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command =
      app.add_subcommand("replay", "drive a node with a trace of requests; report hits, speed, wrong bytes");
  AddTraceOptions(command, settings.get());
  AddIntervalOption(command, &settings->replay);
  AddNodeOptions(command, settings.get());
  command->add_flag("--json", settings->json, "print JSON");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("replay", result.status(), settings->json);
  });
}

}  // namespace incipit
