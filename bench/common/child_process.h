// Another process of this machine that a benchmark starts, watches and ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::bench {

struct ChildOptions {
  std::vector<std::string> arguments;  // [0] is the program's path
  std::string log_path;                // standard error, and output unless captured; empty = shared with ours
  bool capture_output = false;         // ReadOutput() gives standard output
};

// Move-only; the destructor kills the process and waits for it. The process is also killed when the thread that
// started it ends, so start children from a thread that outlives them. One thread.
class ChildProcess {
 public:
  // NotFound, ResourceExhausted: what execv or fork said.
  static absl::StatusOr<ChildProcess> Start(const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  bool Running();
  // Everything written to standard output until its end. Blocks. REQUIRES: capture_output.
  absl::StatusOr<std::string> ReadOutput();
  void Signal(int signal);
  // Waits for the end: exit status, or 128 + the signal that ended it.
  int Wait();
  // Wait() for at most `timeout_ms`, then kill -9.
  int WaitOrKill(uint32_t timeout_ms);

  // CPU time it has used so far, user and system; what it had at its end if it has ended.
  double CpuSeconds();
  uint64_t ResidentBytes() const;

 private:
  ChildProcess() = default;
  bool Reap(bool block);
  pid_t pid_ = -1;
  int output_fd_ = -1;
  bool ended_ = true;
  int exit_status_ = 0;
  double cpu_s_ = 0;
};

// The path of the running program, for starting it again with other arguments.
inline constexpr const char* kOwnProgram = "/proc/self/exe";

// CPU time of this process so far, all threads.
double OwnCpuSeconds();

}  // namespace incipit::bench
