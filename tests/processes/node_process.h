// A real node: `incipit serve` as a child process, to be killed. It ends with the campaign, however that ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::campaign {

// Owner: the campaign's main thread, which must be the one that starts it.
class NodeProcess {
 public:
  // Runs `binary serve --listen 127.0.0.1:0 --http none --ready-file LOG_PATH.ready args...` and returns when it
  // serves. Unavailable, with the end of its log, if it exits instead. Its output goes to `log_path`, which grows over
  // several lives.
  static absl::StatusOr<std::unique_ptr<NodeProcess>> Start(const std::string& binary,
                                                            const std::vector<std::string>& args,
                                                            const std::string& log_path);
  ~NodeProcess();

  const std::string& address() const { return address_; }          // "tcp://127.0.0.1:port"
  const std::string& ucx_address() const { return ucx_address_; }  // "ucx://..."; empty without --listen-ucx
  double start_ms() const { return start_ms_; }                    // from exec to serving
  pid_t pid() const { return pid_; }
  bool Alive();
  uint64_t ResidentBytes() const;
  // SIGKILL; returns when the process is gone.
  void Kill9();
  // SIGTERM and wait. The exit status, or 128 + signal.
  int Stop();

 private:
  NodeProcess() = default;
  int Wait();

  pid_t pid_ = -1;
  std::string address_, ucx_address_;
  double start_ms_ = 0;
};

// A directory that is removed with its contents at the end.
class ScratchDirectory {
 public:
  // Below INCIPIT_CAMPAIGN_DIR, TMPDIR or /tmp. It must be on a file system that takes O_DIRECT.
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

double NowMs();
// The last two thousand bytes of a text file.
std::string TailOf(const std::string& path);

}  // namespace incipit::campaign
