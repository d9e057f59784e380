#include "client/cli/top/top_command.h"

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cache/base/status_macros.h"
#include "client/cli/json_output.h"
#include "client/cli/top/terminal.h"
#include "client/cli/top/top_observer.h"
#include "client/cli/top/top_screen.h"
#include "client/cli/top/top_source.h"
#include "client/cli/top/top_view.h"

namespace incipit {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  TopSourceOptions source;
  uint32_t interval_ms = 1000;
  bool once = false;
};

std::string TimeOfDay() { return absl::FormatTime("%H:%M:%S", absl::Now(), absl::LocalTimeZone()); }

uint32_t LeftMs(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<uint32_t>(std::max<int64_t>(0, left));
}

void Print(const Settings& settings, const TopView& view) {
  if (settings.source.connect.json) {
    const Json json = TopJson(view);
    return settings.once ? PrintJson(json) : PrintJsonLine(json);
  }
  for (const std::string& line : TopLines(view, TimeOfDay(), {})) std::cout << line << "\n";
  if (!settings.once) std::cout << "\n";
  std::cout << std::flush;
}

// One picture below the other, until nobody reads them.
void RunPlain(const Settings& settings, TopObserver* observer) {
  ClusterSample before = observer->Look();
  do {
    std::this_thread::sleep_until(before.at + std::chrono::milliseconds(settings.interval_ms));
    ClusterSample now = observer->Look();
    Print(settings, MakeTopView(before, now));
    before = std::move(now);
  } while (!settings.once && std::cout.good());
}

// One picture in the place of the other, until q.
void RunOnTerminal(const Settings& settings, TopObserver* observer) {
  Terminal terminal;
  ClusterSample before = observer->Look();
  TopView view = MakeTopView(before, before);
  while (true) {
    terminal.Show(TopLines(view, TimeOfDay(), terminal.size()));
    const Clock::time_point next = before.at + std::chrono::milliseconds(settings.interval_ms);
    const Terminal::Event event = terminal.Wait(LeftMs(next));
    if (event == Terminal::Event::kQuit) return;
    if (event == Terminal::Event::kResized) continue;
    ClusterSample now = observer->Look();
    view = MakeTopView(before, now);
    before = std::move(now);
  }
}

absl::Status Run(const Settings& settings) {
  ASSIGN_OR_RETURN(std::unique_ptr<ClusterMembership> source, OpenTopSource(settings.source));
  ASSIGN_OR_RETURN(const std::unique_ptr<TopObserver> observer,
                   TopObserver::Create(settings.source.connect, std::move(source)));
  if (settings.once || settings.source.connect.json || !Terminal::IsThere()) {
    RunPlain(settings, observer.get());
  } else {
    RunOnTerminal(settings, observer.get());
  }
  return absl::OkStatus();
}

constexpr char kFooter[] =
    "For each node: how full RAM and NVMe are, payload loaded and stored, of the keys that Match was asked for those\n"
    "that were found (hits; hits ever: since the node's start), requests answered busy. For each tenant whose blocks\n"
    "were asked for the same. The hottest prefixes are those whose blocks are loaded most, by bytes a second: the "
    "first\n"
    "bytes of the key of the last block, and how many tokens lie before its end. A node that does not answer within\n"
    "--timeout-ms is away, and the others are shown all the same. The key q ends it.\n\n"
    "Where nodes have tenants: role admin; other tenants see their own rows of the two lower tables.\n\n"
    "Examples:\n"
    "  incipit top --cluster 10.0.0.5:9400,10.0.0.6:9400\n"
    "  incipit top --nodes 10.0.0.5:9400,10.0.0.6:9400 --interval-ms 5000\n"
    "  incipit top --membership 'redis://10.0.0.9?cluster=main'\n"
    "  incipit top --once --json | jq '.tenants[] | {tenant, match_hit_ratio}'\n\n"
    "JSON: {\"epoch\", \"interval_s\", \"nodes\": [{\"id\", \"name\", \"state\", \"answers\", \"ram\", \"nvme\", "
    "\"load_bytes_per_s\",\n"
    "\"store_bytes_per_s\", \"match_hit_ratio\", ...}], \"total\", \"tenants\": [...], \"hottest_prefixes\": [...]}; "
    "without --once one\n"
    "object a line. Ratios are 0..1, or null where nothing was asked for.\n"
    "Exit status: 0; 1 if there is no map.";

}  // namespace

void AddTopCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  TopSourceOptions& source = settings->source;
  source.connect.timeout_ms = 1000;
  CLI::App* command =
      app.add_subcommand("top", "show a cluster live: nodes, tiers, bandwidth, hit ratio by tenant, hottest prefixes");
  CLI::Option* connect =
      command->add_option("--connect", source.connect.address, "a node, shown with the cluster that it is in")
          ->type_name("ADDRESS")
          ->capture_default_str();
  AddClusterOption(command, connect, &source.connect.cluster);
  CLI::Option* nodes = command->add_option("--nodes", source.nodes, "these nodes and no others, whatever a map says")
                           ->type_name("ADDRESS[,ADDRESS]")
                           ->delimiter(',');
  CLI::Option* membership =
      command->add_option("--membership", source.membership, "the cluster's map itself, as serve --membership names it")
          ->type_name("SOURCE");
  for (CLI::Option* option : {nodes, membership}) option->excludes(connect)->excludes("--cluster");
  nodes->excludes(membership);
  command->add_option("--membership-password-file", source.membership_password_file, "file with Redis' password")
      ->type_name("FILE")
      ->needs(membership);
  command
      ->add_option("--membership-sentinel-password-file", source.membership_sentinel_password_file,
                   "file with its sentinels' password")
      ->type_name("FILE")
      ->needs(membership);
  command->add_option("--tenant", source.connect.tenant, "as whom")->type_name("NAME")->capture_default_str();
  AddSecretFileOption(command, &source.connect.secret_file);
  command->add_option("--interval-ms", settings->interval_ms, "time between two looks, in milliseconds")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{100}, uint32_t{3'600'000}))
      ->capture_default_str();
  command->add_flag("--once", settings->once, "look twice, an interval apart, print what was seen, and end");
  command->add_option("--timeout-ms", source.connect.timeout_ms, "how long to wait for nodes, in milliseconds")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{1}, uint32_t{3'600'000}))
      ->capture_default_str();
  command->add_flag("--json", source.connect.json, "print JSON with stable field names");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::Status status = Run(*settings);
    *exit_code = status.ok() ? kExitOk : ReportError("top", status, settings->source.connect.json);
  });
}

}  // namespace incipit
