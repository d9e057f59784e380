#include "bench/common/private_node.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "bench/common/stopwatch.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr double kStartTimeoutSeconds = 60;  // touching a large RAM tier takes seconds
constexpr useconds_t kPollUs = 2000;
constexpr size_t kLogTailBytes = 2000;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateNode>> PrivateNode::Start(PrivateNodeOptions options) {
  ASSIGN_OR_RETURN(TempDir dir, TempDir::Create(options.work_dir));
  std::unique_ptr<PrivateNode> node(new PrivateNode(std::move(options), std::move(dir)));
  RETURN_IF_ERROR(node->Launch());
  return node;
}

std::vector<std::string> PrivateNode::Arguments() const {
  std::vector<std::string> arguments = {kOwnProgram,    "serve",
                                        "--listen",     options_.listen,
                                        "--http",       "none",
                                        "--shards",     std::to_string(options_.shards),
                                        "--ram",        std::to_string(options_.ram_bytes),
                                        "--ready-file", ReadyPath()};
  if (options_.nvme_bytes > 0) {
    arguments.insert(arguments.end(),
                     {"--nvme", dir_.path() + "/nvme", "--nvme-bytes", std::to_string(options_.nvme_bytes)});
    if (options_.region_bytes > 0) {
      arguments.insert(arguments.end(), {"--region-bytes", std::to_string(options_.region_bytes)});
    }
  }
  if (options_.unix_lane) arguments.insert(arguments.end(), {"--listen-unix", SocketPath()});
  arguments.insert(arguments.end(), options_.more_arguments.begin(), options_.more_arguments.end());
  return arguments;
}

absl::Status PrivateNode::FailedWith(const std::string& what) const {
  const std::string log = ReadFile(LogPath());
  const size_t start = log.size() > kLogTailBytes ? log.size() - kLogTailBytes : 0;
  return absl::UnavailableError(fmt::format("the private node {}; end of its log:\n{}", what, log.substr(start)));
}

absl::Status PrivateNode::Launch() {
  std::error_code ignored;
  std::filesystem::remove(ReadyPath(), ignored);
  if (options_.nvme_bytes > 0) std::filesystem::create_directories(dir_.path() + "/nvme", ignored);
  ASSIGN_OR_RETURN(ChildProcess started, ChildProcess::Start({.arguments = Arguments(), .log_path = LogPath()}));
  process_.emplace(std::move(started));
  const Stopwatch watch;
  while (true) {
    const std::string text = ReadFile(ReadyPath());
    const size_t end = text.find('\n');
    if (end != std::string::npos) {
      address_ = text.substr(0, end);
      if (address_.rfind("tcp://", 0) != 0) address_ = "tcp://" + address_;
      const std::string more = text.substr(end + 1);  // a line for each further lane
      ucx_address_ = more.substr(0, more.find('\n'));
      return absl::OkStatus();
    }
    if (!process_->Running()) return FailedWith(fmt::format("ended with status {} at start", process_->Wait()));
    if (watch.Seconds() > kStartTimeoutSeconds) return FailedWith("does not serve after 60 s");
    usleep(kPollUs);
  }
}

void PrivateNode::Crash() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

absl::Status PrivateNode::Stop(uint32_t timeout_ms) {
  process_->Signal(SIGTERM);
  const int status = process_->WaitOrKill(timeout_ms);
  return status == 0 ? absl::OkStatus() : FailedWith(fmt::format("ended with status {} when asked to stop", status));
}

absl::Status PrivateNode::Restart() { return Launch(); }

}  // namespace incipit::bench
