#include "bench/speed/ucx_perf.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "bench/common/child_process.h"
#include "cache/base/status_macros.h"
#include "transport/tcp/free_ports.h"

namespace incipit::bench {
namespace {

constexpr char kProgram[] = "/usr/bin/ucx_perftest";
constexpr int kTries = 100;  // until the other process listens
constexpr useconds_t kPauseUs = 20'000;
constexpr uint32_t kEndTimeoutMs = 5000;
constexpr int kColumns = 8, kOverallBandwidth = 5;
constexpr double kMebibyte = 1 << 20;

// The settings of transport/ucx/ucx_config.cc, as the program takes them.
std::vector<std::string> Command(uint16_t port) {
  return {"/usr/bin/env",
          "UCX_TLS=tcp",
          "UCX_NET_DEVICES=lo",
          "UCX_RNDV_SCHEME=put_zcopy",
          "UCX_MAX_RNDV_LANES=1",
          "UCX_TCP_TX_SEG_SIZE=1m",
          "UCX_TCP_RX_SEG_SIZE=1m",
          "UCX_PROTO_ENABLE=n",
          "UCX_TCP_PUT_ENABLE=n",
          kProgram,
          "-p",
          std::to_string(port)};
}

}  // namespace

absl::StatusOr<double> ParseUcxPerf(const std::string& text) {
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    std::vector<double> values;
    for (const char* at = line.c_str(); *at != '\0';) {
      char* stopped = nullptr;
      const double value = std::strtod(at, &stopped);
      if (stopped == at) break;
      values.push_back(value);
      at = *stopped == ',' ? stopped + 1 : stopped;
    }
    if (values.size() == kColumns) return values[kOverallBandwidth] * kMebibyte / 1e9;
  }
  return absl::InternalError(fmt::format("ucx_perftest printed no result: {}", text.substr(0, 400)));
}

absl::StatusOr<double> RunUcxPerf(const UcxPerfJob& job) {
  if (access(kProgram, X_OK) != 0) {
    return absl::NotFoundError("ucx_perftest, the ceiling of the ucx lane, is not there: apt-get install ucx-utils");
  }
  ASSIGN_OR_RETURN(const TcpAddress loopback, ResolveTcpAddress("127.0.0.1:0"));
  ASSIGN_OR_RETURN(const uint16_t port, FindFreePorts(loopback, 1));
  const std::vector<std::string> receiver_command = Command(port);
  ASSIGN_OR_RETURN(ChildProcess receiver,
                   ChildProcess::Start({.arguments = receiver_command, .log_path = "/dev/null"}));
  std::vector<std::string> arguments = Command(port);
  arguments.insert(arguments.end(), {"-t", "ucp_am_bw", "-s", std::to_string(job.message_bytes), "-n",
                                     std::to_string(job.messages), "-w", "4", "-f", "-v", "127.0.0.1"});
  for (int i = 0; i < kTries && receiver.Running(); ++i) {
    ASSIGN_OR_RETURN(ChildProcess sender,
                     ChildProcess::Start({.arguments = arguments, .log_path = "/dev/null", .capture_output = true}));
    ASSIGN_OR_RETURN(const std::string output, sender.ReadOutput());
    if (sender.Wait() == 0) {
      receiver.WaitOrKill(kEndTimeoutMs);
      return ParseUcxPerf(output);
    }
    usleep(kPauseUs);
  }
  return absl::UnavailableError("ucx_perftest does not run: see what `ucx_perftest -t ucp_am_bw` says");
}

}  // namespace incipit::bench
