#include "client/cli/status_command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "cache/base/status_macros.h"
#include "client/cli/cluster_status.h"
#include "client/cli/common_options.h"
#include "client/cli/json_output.h"
#include "client/cli/status_report.h"
#include "client/layouts/layouts.h"

namespace incipit {
namespace {

constexpr char kClearScreen[] = "\033[H\033[2J";

struct Settings {
  ConnectOptions connect;
  double watch_s = 0;
};

absl::StatusOr<std::unique_ptr<Client>> Connect(const Settings& settings) {
  // A session has a namespace; this one stays empty.
  ASSIGN_OR_RETURN(const Layout layout, CustomLayout(1, 1, 1));
  return ConnectTo(settings.connect, "incipit-status", layout);
}

absl::Status ShowOnce(const Settings& settings, Client* client) {
  ASSIGN_OR_RETURN(std::vector<ShardStats> shards, client->Stats());
  std::sort(shards.begin(), shards.end(), [](const ShardStats& a, const ShardStats& b) { return a.shard < b.shard; });
  const NodeInfo node = client->node();
  const std::shared_ptr<const ClusterMap> map = MapOfNode(settings.connect);
  if (settings.connect.json) {
    Json json = StatusJson(settings.connect.address, node, shards);
    if (map != nullptr) json["cluster"] = NodeInMapJson(*map, node.node_id, settings.connect.address);
    settings.watch_s > 0 ? PrintJsonLine(json) : PrintJson(json);
    return absl::OkStatus();
  }
  if (settings.watch_s > 0 && isatty(STDOUT_FILENO) != 0) std::cout << kClearScreen;
  std::cout << StatusText(settings.connect.address, node, shards);
  if (map != nullptr) std::cout << NodeInMapText(*map, node.node_id, settings.connect.address);
  std::cout << std::flush;
  return absl::OkStatus();
}

void ShowCluster(const Settings& settings, ClusterObserver* observer) {
  const ClusterReport report = observer->Look();
  if (settings.connect.json) {
    const Json json = ClusterStatusJson(report);
    return settings.watch_s > 0 ? PrintJsonLine(json) : PrintJson(json);
  }
  if (settings.watch_s > 0 && isatty(STDOUT_FILENO) != 0) std::cout << kClearScreen;
  std::cout << ClusterStatusText(report) << std::flush;
}

absl::Status WatchCluster(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ClusterObserver> observer, ClusterObserver::Connect(settings.connect));
  ShowCluster(settings, observer.get());
  while (settings.watch_s > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(settings.watch_s));
    ShowCluster(settings, observer.get());
  }
  return absl::OkStatus();
}

absl::Status Show(const Settings& settings) {
  if (!settings.connect.cluster.empty()) return WatchCluster(settings);
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Connect(settings));
  RETURN_IF_ERROR(ShowOnce(settings, client.get()));
  while (settings.watch_s > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(settings.watch_s));
    // A node that restarts is waited for: the client reconnects on its own.
    if (const absl::Status status = ShowOnce(settings, client.get()); !status.ok()) {
      ReportError("status", status, settings.connect.json);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("status", "show what a node holds and does, by shard and in total");
  AddConnectOptions(command, &settings->connect);
  command->add_option("--watch", settings->watch_s, "show again every so many seconds until interrupted")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 86400.0));
  command->footer(
      "Examples:\n"
      "  incipit status\n"
      "  incipit status --connect tcp://10.0.0.5:9400 --watch 2\n"
      "  incipit status --json | jq .total.match_hit_ratio\n"
      "  incipit status --cluster tcp://10.0.0.5:9400,tcp://10.0.0.6:9400\n\n"
      "JSON: {\"node\": {...}, \"shards\": [{\"shard\", ...}], \"total\": {...}}; with --watch one object a line.\n"
      "A node that is in a cluster has \"cluster\": {epoch, nodes, nodes_serving, state}; with --cluster:\n"
      "{\"epoch\", \"nodes\": [{\"id\", \"name\", \"state\", \"weight\", \"zone\", \"addresses\", \"answers\", "
      "\"total\"}]}.\n"
      "Names of values are those of the metrics (docs/operations.md) without incipit_. Ratios are 0..1.\n"
      "Exit status: 0, or 1 if the node cannot be reached.");
  command->callback([settings, exit_code] {
    const absl::Status status = Show(*settings);
    *exit_code = status.ok() ? kExitOk : ReportError("status", status, settings->connect.json);
  });
}

}  // namespace incipit
