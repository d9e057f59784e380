#include "client/cli/record_command.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include "cache/base/status_macros.h"
#include "client/cli/bench_progress.h"
#include "client/cli/byte_size.h"
#include "client/cli/json_output.h"
#include "client/cli/recording_page.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr auto kPollStep = std::chrono::milliseconds(500);

struct Settings {
  std::string http = "127.0.0.1:9401";
  std::string out_path;
  double seconds = 60;
  uint64_t max_bytes = uint64_t{1} << 30;
  bool json = false;
};

struct Recorded {
  uint64_t requests = 0, missed = 0, partial = 0, bytes = 0;
};

constexpr char kFooter[] =
    "The node must run with --record-bytes: it then keeps its latest requests, and this command fetches them until\n"
    "--seconds are over, those from before it started included. The file is a trace as `incipit plan` and `incipit\n"
    "replay` read it: when a request asked for which blocks, by hashes that mean nothing elsewhere. Prompts count as\n"
    "whole blocks, answers as 0 tokens; plan with --block-tokens of the model's layout.\n\n"
    "Examples:\n"
    "  incipit serve --ram 64GiB --record-bytes 64MiB\n"
    "  incipit record --http 127.0.0.1:9401 --seconds 3600 --out monday.jsonl\n"
    "  incipit plan --trace monday.jsonl --block-tokens 64\n\n"
    "JSON: requests, bytes, missed (requests that came faster than they were fetched), partial (of which a part did\n"
    "not come). Exit status: 0 if something was recorded.";

// Each page is on the disk before the next: whoever ends the command keeps what was recorded.
absl::StatusOr<Recorded> Record(const Settings& settings, const bench::ProgressSink& progress) {
  ASSIGN_OR_RETURN(RecordingPage page, FetchRecordingPage(settings.http, 0));
  std::ofstream file(settings.out_path, std::ios::binary | std::ios::trunc);
  Recorded recorded;
  const auto start = std::chrono::steady_clock::now();
  while (true) {
    file << page.lines << std::flush;
    if (!file) return absl::UnavailableError(fmt::format("--out {}: cannot be written", settings.out_path));
    recorded.requests += page.requests;
    recorded.partial += page.partial;
    recorded.bytes += page.lines.size();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    bench::Show(progress, fmt::format("{} requests", recorded.requests), static_cast<uint64_t>(elapsed.count()),
                static_cast<uint64_t>(settings.seconds));
    if (elapsed.count() >= settings.seconds || recorded.bytes >= settings.max_bytes) return recorded;
    if (page.requests == 0) std::this_thread::sleep_for(kPollStep);
    ASSIGN_OR_RETURN(page, FetchRecordingPage(settings.http, page.next));
    recorded.missed += page.missed;
  }
}

absl::StatusOr<int> Run(const Settings& settings) {
  ASSIGN_OR_RETURN(const Recorded recorded, Record(settings, MakeProgressSink(!settings.json)));
  if (settings.json) {
    PrintJson({{"requests", recorded.requests},
               {"bytes", recorded.bytes},
               {"missed", recorded.missed},
               {"partial", recorded.partial}});
  } else {
    std::cout << fmt::format("{} requests, {} bytes in {}; {} missed, {} in part\n", recorded.requests, recorded.bytes,
                             settings.out_path, recorded.missed, recorded.partial)
              << std::flush;
  }
  return recorded.requests > 0 ? kExitOk : kExitError;
}

}  // namespace

void AddRecordCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("record", "write the requests of a live node to a trace for plan");
  command->add_option("--http", settings->http, "the node's --http")->type_name("HOST:PORT")->capture_default_str();
  command->add_option("--out", settings->out_path, "the trace to write")->type_name("FILE")->required();
  command->add_option("--seconds", settings->seconds, "how long; 0 = only what the node has now")
      ->check(CLI::Range(0.0, 1e7))
      ->capture_default_str();
  AddByteSizeOption(command, "--max-bytes", &settings->max_bytes, "end when the file has grown so large");
  command->add_flag("--json", settings->json, "print JSON");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("record", result.status(), settings->json);
  });
}

}  // namespace incipit
