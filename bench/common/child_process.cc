#include "bench/common/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

#include <fmt/format.h>

namespace incipit::bench {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr uint32_t kWaitStepMs = 2;

double SecondsOf(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / kNsPerSecond;
}

struct Pipe {
  int read_fd = -1;
  int write_fd = -1;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  return Pipe{ends[0], ends[1]};
}

// Runs in the forked child: only calls that are safe between fork and exec. Reports errno of a failed exec.
[[noreturn]] void BecomeProgram(char* const* arguments, int log_fd, int output_fd, int report_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent ended before it could be watched
  if (log_fd >= 0) {
    dup2(log_fd, STDERR_FILENO);
    dup2(log_fd, STDOUT_FILENO);
  }
  if (output_fd >= 0) dup2(output_fd, STDOUT_FILENO);
  execv(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(report_fd, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
  std::vector<char*> arguments;
  for (const std::string& argument : options.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int log_fd = -1;
  if (!options.log_path.empty()) {
    log_fd = open(options.log_path.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    if (log_fd < 0) {
      return absl::UnavailableError(fmt::format("cannot write {}: {}", options.log_path, std::strerror(errno)));
    }
  }
  auto report = MakePipe();
  if (!report.ok()) return report.status();
  Pipe output;
  if (options.capture_output) {
    auto made = MakePipe();
    if (!made.ok()) return made.status();
    output = *made;
  }
  ChildProcess child;
  const pid_t parent = getpid();
  child.pid_ = fork();
  if (child.pid_ == 0) BecomeProgram(arguments.data(), log_fd, output.write_fd, report->write_fd, parent);
  const int fork_error = errno;
  for (const int fd : {log_fd, output.write_fd, report->write_fd}) {
    if (fd >= 0) close(fd);
  }
  child.output_fd_ = output.read_fd;
  int error = child.pid_ < 0 ? fork_error : 0;
  if (child.pid_ > 0) {
    child.ended_ = false;
    if (read(report->read_fd, &error, sizeof(error)) != sizeof(error)) error = 0;  // end of file: exec worked
  }
  close(report->read_fd);
  if (error != 0) {
    return absl::NotFoundError(fmt::format("cannot run {}: {}", options.arguments[0], std::strerror(error)));
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept { *this = std::move(other); }

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  std::swap(pid_, other.pid_);
  std::swap(output_fd_, other.output_fd_);
  std::swap(ended_, other.ended_);
  std::swap(exit_status_, other.exit_status_);
  std::swap(cpu_s_, other.cpu_s_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (output_fd_ >= 0) close(output_fd_);
  Signal(SIGKILL);
  Reap(/*block=*/true);
}

bool ChildProcess::Reap(bool block) {
  if (ended_) return true;
  int status = 0;
  rusage usage{};
  pid_t reaped = 0;
  do {
    reaped = wait4(pid_, &status, block ? 0 : WNOHANG, &usage);
  } while (reaped < 0 && errno == EINTR);
  if (reaped == 0) return false;
  ended_ = true;
  exit_status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
  cpu_s_ = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return true;
}

bool ChildProcess::Running() { return !Reap(/*block=*/false); }

absl::StatusOr<std::string> ChildProcess::ReadOutput() {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = read(output_fd_, buffer, sizeof(buffer));
    if (got > 0) {
      text.append(buffer, static_cast<size_t>(got));
    } else if (got == 0) {
      return text;
    } else if (errno != EINTR) {
      return absl::UnavailableError(
          fmt::format("cannot read the output of process {}: {}", pid_, std::strerror(errno)));
    }
  }
}

void ChildProcess::Signal(int signal) {
  if (!ended_) kill(pid_, signal);
}

int ChildProcess::Wait() {
  Reap(/*block=*/true);
  return exit_status_;
}

int ChildProcess::WaitOrKill(uint32_t timeout_ms) {
  for (uint32_t waited_ms = 0; waited_ms < timeout_ms && Running(); waited_ms += kWaitStepMs) {
    usleep(kWaitStepMs * 1000);
  }
  Signal(SIGKILL);
  return Wait();
}

double ChildProcess::CpuSeconds() {
  if (!Running()) return cpu_s_;
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid_, &clock) == 0 && clock_gettime(clock, &time) == 0) cpu_s_ = SecondsOf(time);
  return cpu_s_;
}

uint64_t ChildProcess::ResidentBytes() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  uint64_t all_pages = 0, resident_pages = 0;
  statm >> all_pages >> resident_pages;
  return statm ? resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

double OwnCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return SecondsOf(time);
}

}  // namespace incipit::bench
