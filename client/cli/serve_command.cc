#include "client/cli/serve_command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>

#include "absl/strings/escaping.h"
#include "cache/base/status_macros.h"
#include "cache/base/version.h"
#include "cache/node/http_server.h"
#include "cache/node/node.h"
#include "cache/node/node_pages.h"
#include "client/cli/json_output.h"
#include "client/cli/log_format.h"
#include "client/cli/serve_options.h"
#include "client/cli/stop_signals.h"
#include "fmt/format.h"

namespace incipit {
namespace {

// Whole or not at all: who waits for the file must not read half an address.
absl::Status WriteReadyFile(const std::string& path, const std::string& address) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary, std::ios::trunc);
  file << address << '\n' << std::flush;
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(fmt::format("--ready-file {}: {}", path, std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status WriteReadyDescriptor(int fd, const std::string& address) {
  const std::string line = address + "\n";
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int error = errno;
  close(fd);
  if (written) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("--ready-fd {}: {}", fd, std::strerror(error)));
}

absl::Status Announce(const ServeOptions& options, const Node& node, const HttpServer* http) {
  const std::string address = "tcp://" + node.address();
  const std::string http_address = http == nullptr ? "" : http->address();
  if (options.json) {
    PrintJsonLine({{"address", address},
                   {"unix", node.unix_address()},
                   {"ucx", node.ucx_address()},
                   {"http", http_address},
                   {"pid", getpid()},
                   {"name", node.options().node_name},
                   {"node_id", fmt::format("{:016x}", node.identity().node_id)},
                   {"shards", node.options().shards},
                   {"version", BuildVersion()}});
  } else {
    std::cout << "serving on " << address;
    for (const std::string& other : {node.unix_address(), node.ucx_address()}) {
      if (!other.empty()) std::cout << " and " << other;
    }
    std::cout << (http == nullptr ? "" : ", metrics on http://" + http_address + "/metrics") << std::endl;
  }
  const std::string lines = node.ucx_address().empty() ? address : address + "\n" + node.ucx_address();
  if (!options.ready_file.empty()) RETURN_IF_ERROR(WriteReadyFile(options.ready_file, lines));
  if (options.ready_fd >= 0) RETURN_IF_ERROR(WriteReadyDescriptor(options.ready_fd, address));
  return absl::OkStatus();
}

// A device that hangs has operations outstanding on our memory: nothing may be torn down any more.
[[noreturn]] void LeaveHungDevice(const absl::Status& status) {
  spdlog::error("event=node_stop_timed_out cause=\"{}\"", status.ToString());
  spdlog::shutdown();
  std::cout.flush();
  _exit(kExitError);
}

// Registers the node, if it is in a cluster. A process that turns out to be a zombie stops, as at SIGTERM.
absl::StatusOr<std::unique_ptr<ClusterAgent>> JoinCluster(ServeOptions options, Node* node, NodePages* pages,
                                                          std::atomic<bool>* fenced) {
  if (options.cluster.source.empty()) return std::unique_ptr<ClusterAgent>();
  options.cluster.on_fenced = [fenced](const absl::Status& why) {
    spdlog::error("event=node_fenced cause=\"{}\"; another process is this node of the cluster, this one stops",
                  absl::CEscape(why.message()));
    fenced->store(true);
    kill(getpid(), SIGTERM);
  };
  options.cluster.on_drained = [] {
    spdlog::info("event=node_drained; it stops");
    kill(getpid(), SIGTERM);
  };
  ASSIGN_OR_RETURN(std::unique_ptr<ClusterAgent> agent, ClusterAgent::Start(node, std::move(options.cluster)));
  pages->InCluster([raw = agent.get()] { return raw->gauges(); });
  return agent;
}

// Reads the tenants again at each SIGHUP, until a signal that ends the process comes.
int WaitForStop(StopSignals* signals, Node* node) {
  int signal = signals->Wait();
  while (signal == SIGHUP) {
    const absl::Status reloaded = node->ReloadTenants();
    if (!reloaded.ok()) {
      spdlog::error("event=tenants_not_reloaded cause=\"{}\"", absl::CEscape(reloaded.message()));
    }
    signal = signals->Wait();
  }
  return signal;
}

absl::Status Serve(ServeOptions options) {
  RETURN_IF_ERROR(FinishServeOptions(&options));
  RETURN_IF_ERROR(SetUpLogging(options.log_level, options.log_format));
  StopSignals signals(/*with_reload=*/!options.node.tenants_path.empty());
  NodePages pages;
  std::unique_ptr<HttpServer> http;
  if (!options.node.http_listen.empty()) {
    ASSIGN_OR_RETURN(http, HttpServer::Start(options.node.http_listen, pages.Pages()));
    spdlog::info("event=http_started address={}", http->address());
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> node, Node::Start(options.node));
  pages.Serving(node.get());
  std::atomic<bool> fenced = false;
  absl::StatusOr<std::unique_ptr<ClusterAgent>> agent = JoinCluster(options, node.get(), &pages, &fenced);
  const absl::Status announced = agent.ok() ? Announce(options, *node, http.get()) : agent.status();
  if (announced.ok()) {
    const int signal = WaitForStop(&signals, node.get());
    spdlog::info("event=node_stopping signal={}", strsignal(signal));
  }
  signals.ExitAtNext();
  pages.Stopping();
  // First the cluster, so that clients go elsewhere while what is dirty is written.
  if (agent.ok() && *agent != nullptr) (*agent)->Leave();
  const absl::Status stopped = node->Stop(options.stop_timeout_ms);
  if (absl::IsDeadlineExceeded(stopped)) LeaveHungDevice(stopped);
  pages.Forget();
  if (stopped.ok()) spdlog::info("event=node_stopped");
  RETURN_IF_ERROR(announced);
  if (fenced)
    return absl::AbortedError("another process is this node of the cluster: are two started from one --state-dir?");
  return stopped;
}

}  // namespace

void AddServeCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "run a node: its shards, RAM and NVMe tiers, until SIGTERM");
  AddServeOptions(command, options.get());
  command->footer(
      "Examples:\n"
      "  incipit serve --ram 64GiB --nvme /var/lib/incipit --nvme-bytes 1TiB\n"
      "  incipit serve --listen 0.0.0.0:9400 --tenants /etc/incipit/tenants.toml --http 127.0.0.1:9401 --log-format "
      "json\n"
      "  incipit serve --listen-unix /run/incipit/node.sock --unix-mode 0660\n"
      "  incipit serve --listen 10.0.0.5:9400 --tenants /etc/incipit/tenants.toml --nvme /var/lib/incipit --nvme-bytes "
      "1TiB \\\n"
      "      --membership 'redis://10.0.0.9?cluster=main' --zone rack-4\n"
      "  incipit serve --config /etc/incipit.toml\n\n"
      "Sizes: 512MiB, 1.5TiB and 4g are powers of 1024, 4GB is a power of 1000.\n"
      "SIGHUP reads the file of --tenants again; with an error in it everything stays as it was, and the log says so.\n"
      "SIGTERM or SIGINT stops in order: what is only in RAM and dirty is written, regions are sealed. A second one\n"
      "ends the process at once; what was sealed is found again.\n"
      "Exit status: 0 after an orderly stop, 1 if the node could not start or stop, 2 for wrong flags.");
  command->callback([options, exit_code] {
    const absl::Status status = Serve(*options);
    *exit_code = status.ok() ? kExitOk : ReportError("serve", status, options->json);
  });
}

}  // namespace incipit
