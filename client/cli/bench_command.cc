#include "client/cli/bench_command.h"

#include <iostream>
#include <memory>

#include "bench/speed/bench.h"
#include "bench/speed/segment_coder.h"
#include "bench/speed/stream_peer.h"
#include "cache/base/status_macros.h"
#include "client/cli/bench_progress.h"
#include "client/cli/byte_size.h"
#include "client/cli/common_options.h"
#include "client/cli/json_output.h"

namespace incipit {
namespace {

struct Settings {
  bench::BenchOptions bench;
  std::vector<std::string> cluster;  // seeds
  bool spawn = false;
  uint16_t stream_peer_port = 0;  // of the process that plays the other end of a plain stream
  bool json = false;
};

constexpr char kFooter[] =
    "Operations: load, store (GB/s against a plain TCP stream, or fio with --tier nvme; load --lane unix: against "
    "memcpy\n"
    "and a hash pass; load --lane ucx: against ucx_perftest; both with tcp beside them), match (us of one match),\n"
    "hash (ms of PrefixHasher against the bare hash function), seal (GB/s of one core sealing and opening blocks,\n"
    "against AES-256-GCM alone), idle (CPU of a node nobody asks), overload (goodput\n"
    "and refusals at ten times the load), auth (load from a node with tenants against one without),\n"
    "codec (ratio and speed of --codec on one core against memcpy), scale (GB/s of 2, 4, ... node processes against "
    "as\n"
    "many times that of one). load and store with --codec: GB/s of raw bytes\n"
    "against the same without one. Value and ceiling "
    "are measured in turn, --pairs times; the figures are\n"
    "medians and the ratio is the median of the pairs' ratios. bench/METHOD.md says the rest.\n\n"
    "Examples:\n"
    "  incipit bench --op load --lane tcp --layout deepseek-v3-bf16 --tier ram --spawn\n"
    "  incipit bench --op load --lane unix\n"
    "  incipit bench --op load --lane ucx --layout deepseek-v3-bf16\n"
    "  incipit bench --op codec --codec bf16-lossless --data spread\n"
    "  incipit bench --op load --codec bf16-lossless-fast\n"
    "  incipit bench --op load --cluster tcp://10.0.0.5:9400 --layout deepseek-v3-bf16\n"
    "  incipit bench --op match --layout deepseek-v4.1-flash --tokens 1048576 --json\n\n"
    "JSON: value, unit, ceiling {name, value, unit}, ratio, latency_us {p50, p99, p999}, cpu_s_per_gb {client,\n"
    "server}, wrong_bytes, and more. Exit status: 0 if it was measured and every byte was right; whether a target was\n"
    "met is in the output.";

void AddWhat(CLI::App* command, bench::BenchOptions* options) {
  command->add_option("--op", options->op, "what to measure")
      ->check(CLI::IsMember(bench::BenchOperations()))
      ->capture_default_str();
  command->add_option("--lane", options->lane, "how the bytes travel")
      ->check(CLI::IsMember({"tcp", "unix", "ucx"}))
      ->capture_default_str();
  command->add_option("--layout", options->layout, "layout of the KV cache")->type_name("NAME")->capture_default_str();
  command->add_option("--block-tokens", options->block_tokens, "tokens of a block; 0 = the layout's usual")
      ->capture_default_str();
  command->add_option("--tier", options->tier, "where the blocks are")
      ->check(CLI::IsMember({"ram", "nvme"}))
      ->capture_default_str();
  command->add_flag("--sealed", options->sealed, "load, store: the client seals the blocks");
  command
      ->add_option("--tokens", options->tokens, "length of the prompt; 0 = what --data-bytes takes, 1048576 for match")
      ->capture_default_str();
}

void AddHow(CLI::App* command, bench::BenchOptions* options) {
  command->add_option("--pairs", options->pairs, "measurements, each with one of the ceiling")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  AddByteSizeOption(command, "--data-bytes", &options->data_bytes, "moved in one measurement");
  AddByteSizeOption(command, "--buffer-bytes", &options->buffer_bytes, "memory that loads land in");
  AddByteSizeOption(command, "--batch-bytes", &options->batch_bytes, "payload of one call of the client");
  command->add_option("--seconds", options->seconds, "that idle, overload and scale watch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--nodes", options->nodes, "scale: of the largest cluster")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
}

void AddCodec(CLI::App* command, bench::BenchOptions* options) {
  command
      ->add_option("--codec", options->codec,
                   "what codec measures (default: bf16-lossless); load, store: what the client stores with, measured "
                   "against no codec")
      ->check(CLI::IsMember(bench::SegmentCoderNames()));
  command
      ->add_option("--codec-threads", options->codec_threads,
                   "of that client; 0 = half the processors, 1 to 4; of one or two its own thread codes too")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  command
      ->add_option("--data", options->data,
                   "what it codes: spread (576 channels with lognormal scales, sigma 0.5), gaussian, or a file")
      ->type_name("spread|gaussian|FILE")
      ->capture_default_str();
  command->add_option("--kernel", options->kernel, "instruction set it uses; default: the best here")
      ->check(CLI::IsMember({"avx512", "avx2", "portable"}));
}

absl::StatusOr<int> Run(const Settings& settings) {
  if (settings.stream_peer_port != 0) {
    RETURN_IF_ERROR(bench::RunStreamPeer(settings.stream_peer_port, settings.bench.data_bytes));
    return kExitOk;
  }
  ASSIGN_OR_RETURN(const bench::BenchReport report, bench::RunBench(settings.bench, MakeProgressSink(!settings.json)));
  if (settings.json) {
    PrintJson(bench::BenchJson(report));
  } else {
    std::cout << bench::BenchText(report) << std::flush;
  }
  return report.ok() ? kExitOk : kExitError;
}

}  // namespace

void AddBenchCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("bench", "measure this build against the ceilings of this machine");
  AddWhat(command, &settings->bench);
  AddHow(command, &settings->bench);
  AddCodec(command, &settings->bench);
  CLI::Option* connect =
      command->add_option("--connect", settings->bench.connect, "a running node")->type_name("ADDRESS");
  AddClusterOption(command, connect, &settings->cluster);
  command->add_option("--tenant", settings->bench.tenant, "of that node")->type_name("NAME")->capture_default_str();
  AddSecretFileOption(command, &settings->bench.secret_file);
  command->add_flag("--spawn", settings->spawn, "a private node in a temporary directory (the default)")
      ->excludes(connect);
  command->add_option("--shards", settings->bench.shards, "of the private node")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--work-dir", settings->bench.work_dir,
                   "where the temporary directory is made; default: TMPDIR or /tmp")
      ->type_name("DIR");
  command->add_option("--stream-peer", settings->stream_peer_port)->group("");
  command->add_flag("--json", settings->json, "print JSON");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    if (!settings->cluster.empty()) settings->bench.connect = ClusterAddress(settings->cluster);
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("bench", result.status(), settings->json);
  });
}

}  // namespace incipit
