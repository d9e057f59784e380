#include "client/cli/drain_command.h"

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/cli/byte_size.h"
#include "client/cli/cluster_status.h"
#include "client/cli/common_options.h"
#include "client/cli/drain_client.h"
#include "client/cli/drain_report.h"
#include "client/cli/json_output.h"

namespace incipit {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kLane[] = "tcp";
constexpr auto kLook = std::chrono::milliseconds(250);
constexpr auto kShow = std::chrono::seconds(1);
constexpr int kReconnects = 5;

struct Settings {
  ConnectOptions connect;
  std::string node;
  double timeout_s = 600;
  uint64_t bandwidth = 0;
  bool exit = false, cancel = false, tell = false;
};

absl::StatusOr<std::shared_ptr<const ClusterMap>> MapFor(const Settings& settings) {
  if (settings.connect.cluster.empty()) {
    std::shared_ptr<const ClusterMap> map = MapOfNode(settings.connect);
    if (map != nullptr) return map;
    return absl::UnavailableError(absl::StrCat(settings.connect.address, ": does not give a cluster's map"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<ClusterObserver> observer, ClusterObserver::Connect(settings.connect));
  return observer->Look().map;
}

// Where the node to drain is.
absl::StatusOr<std::string> AddressOf(const Settings& settings) {
  if (settings.node.empty() && settings.connect.cluster.empty()) return settings.connect.address;
  if (settings.node.empty())
    return absl::InvalidArgumentError("NODE: which node of the cluster? `incipit status` lists them");
  ASSIGN_OR_RETURN(const std::shared_ptr<const ClusterMap> map, MapFor(settings));
  for (const ClusterNode& node : map->nodes) {
    const std::string address = node.AddressOn(kLane);
    if (address.empty() || node.state == NodeState::kGone) continue;
    if (NodeIdText(node.id) == settings.node || address == settings.node ||
        address == absl::StrCat(kLane, "://", settings.node)) {
      return address;
    }
  }
  return absl::NotFoundError(absl::StrCat("NODE ", settings.node, ": no live node of the map (epoch ", map->epoch,
                                          ") has that id or tcp address; `incipit status --cluster` lists them"));
}

// Shows how far it is once a second: on one line that is written over, or one below the other.
class Display {
 public:
  Display(std::string address, bool json) : address_(std::move(address)), json_(json) {}

  void Show(const wire::DrainReply& reply) {
    const Clock::time_point now = Clock::now();
    if (now - shown_ < kShow) return;
    const double seconds = std::chrono::duration<double>(now - shown_).count();
    if (shown_ != Clock::time_point()) {
      bytes_per_s_ = static_cast<double>(reply.progress.moved.bytes - bytes_) / seconds;
    }
    shown_ = now;
    bytes_ = reply.progress.moved.bytes;
    if (json_) return PrintJsonLine(DrainJson(address_, reply, bytes_per_s_));
    std::cout << (terminal_ ? "\r\033[K" : "") << DrainLine(reply, bytes_per_s_) << (terminal_ ? "" : "\n")
              << std::flush;
  }
  void End(const wire::DrainReply& reply) {
    const double seconds = reply.elapsed_ms / 1000.0;
    const double bytes_per_s = seconds > 0 ? static_cast<double>(reply.progress.moved.bytes) / seconds : 0;
    if (json_) return PrintJsonLine(DrainJson(address_, reply, bytes_per_s));
    std::cout << (terminal_ ? "\r\033[K" : "") << DrainSummary(reply) << std::flush;
  }

 private:
  const std::string address_;
  const bool json_;
  const bool terminal_ = isatty(STDOUT_FILENO) != 0;
  Clock::time_point shown_;
  uint64_t bytes_ = 0;
  double bytes_per_s_ = 0;
};

int ExitStatusOf(const wire::DrainReply& reply) {
  if (reply.state == wire::DrainState::kLeft) return reply.timed_out ? kExitMiss : kExitOk;
  return reply.state == wire::DrainState::kFailed ? kExitError : kExitOk;
}

// Asks again over a new connection if the one there was broke.
absl::StatusOr<wire::DrainReply> Tell(const Settings& settings, const std::string& address,
                                      std::unique_ptr<DrainClient>* client) {
  absl::Status status;
  for (int attempt = 0; attempt < kReconnects; ++attempt) {
    if (*client == nullptr) {
      absl::StatusOr<std::unique_ptr<DrainClient>> made = DrainClient::Connect(settings.connect, address);
      status = made.status();
      if (made.ok()) *client = *std::move(made);
    }
    if (*client != nullptr) {
      absl::StatusOr<wire::DrainReply> reply = (*client)->Ask({});
      if (reply.ok()) return reply;
      status = reply.status();
      client->reset();
    }
    std::this_thread::sleep_for(kLook);
  }
  return absl::Status(status.code(), absl::StrCat(status.message(), "; what was given to others stays there"));
}

absl::StatusOr<int> Run(const Settings& settings) {
  ASSIGN_OR_RETURN(const std::string address, AddressOf(settings));
  ASSIGN_OR_RETURN(std::unique_ptr<DrainClient> client, DrainClient::Connect(settings.connect, address));
  wire::Drain request;
  if (settings.cancel) {
    request.action = wire::DrainAction::kCancel;
  } else if (!settings.tell) {
    request = {wire::DrainAction::kBegin, settings.exit, static_cast<uint32_t>(settings.timeout_s * 1000),
               settings.bandwidth};
  }
  ASSIGN_OR_RETURN(wire::DrainReply reply, client->Ask(request));
  Display display(address, settings.connect.json);
  while (reply.state == wire::DrainState::kMoving && !settings.tell) {
    display.Show(reply);
    std::this_thread::sleep_for(kLook);
    ASSIGN_OR_RETURN(reply, Tell(settings, address, &client));
  }
  display.End(reply);
  return settings.tell || settings.cancel ? kExitOk : ExitStatusOf(reply);
}

constexpr char kFooter[] =
    "The node stops owning blocks at once, but is still read from: whoever misses a block at its next owner is served\n"
    "from here. Meanwhile the node gives all blocks to their next owners, those used last first, RAM and NVMe; then, "
    "or\n"
    "when --timeout is over, it leaves the cluster's map, and with --exit its process ends. Without NODE, the node "
    "that\n"
    "--connect names. A drain goes on if this command ends; --tell looks at it, --cancel ends it and the node serves\n"
    "again. Killing the node loses only what it had not given yet. Where nodes have tenants: role admin; and the "
    "nodes'\n"
    "own --peer-tenant needs the role peer.\n\n"
    "Examples:\n"
    "  incipit drain --connect tcp://10.0.0.5:9400 --exit\n"
    "  incipit drain 00000000000000a1 --cluster 10.0.0.5:9400,10.0.0.6:9400 --bandwidth 500MiB --timeout 1800\n"
    "  incipit drain --cancel\n\n"
    "JSON, one line a second: address, state (moving, left, cancelled, failed, none), timed_out, elapsed_s, and "
    "blocks\n"
    "and bytes of total, moved, present, unwanted, lost, remaining; bytes_per_s, message.\n"
    "Exit status: 0 if all was done, 3 if the node left before all was given, 1 on an error.";

}  // namespace

void AddDrainCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command =
      app.add_subcommand("drain", "give a node's blocks to the others, then take it out of its cluster");
  command->add_option("node", settings->node, "id or tcp address of the node, as `incipit status --cluster` lists them")
      ->type_name("NODE");
  CLI::Option* connect =
      command->add_option("--connect", settings->connect.address, "the node, or one that knows the cluster's map")
          ->type_name("ADDRESS")
          ->capture_default_str();
  AddClusterOption(command, connect, &settings->connect.cluster);
  command->add_option("--tenant", settings->connect.tenant, "as whom")->type_name("NAME")->capture_default_str();
  AddSecretFileOption(command, &settings->connect.secret_file);
  CLI::Option* timeout =
      command
          ->add_option("--timeout", settings->timeout_s, "seconds after which the node leaves, whatever it still has")
          ->type_name("N")
          ->check(CLI::Range(0.001, wire::kMaxDrainTimeoutMs / 1000.0).description(""))
          ->capture_default_str();
  AddByteSizeOption(command, "--bandwidth", &settings->bandwidth,
                    "bytes a second that it gives away at most; 0 = no limit");
  CLI::Option* exit = command->add_flag("--exit", settings->exit, "end the node's process once it has left");
  CLI::Option* cancel = command->add_flag("--cancel", settings->cancel, "end a drain: the node serves again");
  cancel->excludes(exit)->excludes(timeout);
  command->add_flag("--tell", settings->tell, "only show how far a drain is")
      ->excludes(exit)
      ->excludes(timeout)
      ->excludes(cancel);
  command->add_option("--timeout-ms", settings->connect.timeout_ms, "how long to wait for an answer, in milliseconds")
      ->type_name("N")
      ->check(CLI::Range(uint32_t{1}, uint32_t{3'600'000}))
      ->capture_default_str();
  command->add_flag("--json", settings->connect.json, "print JSON");
  command->footer(kFooter);
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("drain", result.status(), settings->connect.json);
  });
}

}  // namespace incipit
