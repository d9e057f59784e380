// A node for one run only: a child process with free ports, a temporary directory and sizes of the run's choice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/common/child_process.h"
#include "bench/common/temp_dir.h"

namespace incipit::bench {

struct PrivateNodeOptions {
  std::string work_dir;  // parent of the node's temporary directory; empty = the system's
  std::string listen = "127.0.0.1:0";
  uint16_t shards = 1;
  uint64_t ram_bytes = 1ull << 30;
  uint64_t nvme_bytes = 0;                  // 0 = no NVMe tier
  uint64_t region_bytes = 0;                // 0 = the node's default
  bool unix_lane = false;                   // listen on a socket in its directory as well
  std::vector<std::string> more_arguments;  // of `incipit serve`
};

// One thread, which outlives it. The destructor kills the node and removes its directory.
class PrivateNode {
 public:
  // Runs this very program as `serve` and waits until it serves. Unavailable: with the end of the node's log.
  static absl::StatusOr<std::unique_ptr<PrivateNode>> Start(PrivateNodeOptions options);

  const std::string& address() const { return address_; }  // "tcp://host:port"
  std::string unix_address() const { return "unix://" + SocketPath(); }
  // "ucx://host:port?..."; empty unless more_arguments ask for that lane.
  const std::string& ucx_address() const { return ucx_address_; }
  const std::string& directory() const { return dir_.path(); }
  ChildProcess* process() { return &*process_; }

  // kill -9 and wait for its end.
  void Crash();
  // Asks it to stop in order. Unavailable: it did not within `timeout_ms` or reported failure.
  absl::Status Stop(uint32_t timeout_ms);
  // Starts it again on the same directory, at a new address. REQUIRES: it was ended.
  absl::Status Restart();

 private:
  PrivateNode(PrivateNodeOptions options, TempDir dir) : options_(std::move(options)), dir_(std::move(dir)) {}
  absl::Status Launch();
  std::vector<std::string> Arguments() const;
  std::string ReadyPath() const { return dir_.path() + "/ready"; }
  std::string SocketPath() const { return dir_.path() + "/node.sock"; }
  std::string LogPath() const { return dir_.path() + "/node.log"; }
  absl::Status FailedWith(const std::string& what) const;

  PrivateNodeOptions options_;
  TempDir dir_;
  std::optional<ChildProcess> process_;
  std::string address_, ucx_address_;
};

}  // namespace incipit::bench
