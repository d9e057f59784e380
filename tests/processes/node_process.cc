#include "tests/processes/node_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cache/base/check.h"
#include "fmt/format.h"

namespace incipit::campaign {
namespace {

constexpr size_t kLogTailBytes = 2000;

// In the child: only what is safe between fork and exec.
[[noreturn]] void Exec(const char* binary, char* const* argv, int log_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execv(binary, argv);
  _exit(127);
}

// The line that the node writes once it serves; empty if it ended before.
std::string ReadLine(int fd) {
  std::string line;
  char byte = 0;
  while (read(fd, &byte, 1) == 1 && byte != '\n') line += byte;
  return line;
}

}  // namespace

std::string TailOf(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.size() > kLogTailBytes ? text.substr(text.size() - kLogTailBytes) : text;
}

double NowMs() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

absl::StatusOr<std::unique_ptr<NodeProcess>> NodeProcess::Start(const std::string& binary,
                                                                const std::vector<std::string>& args,
                                                                const std::string& log_path) {
  int ready[2];
  INCIPIT_CHECK(pipe2(ready, O_CLOEXEC) == 0, "pipe");
  const int log_fd = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  INCIPIT_CHECK(log_fd >= 0, "open the node's log");
  fcntl(ready[1], F_SETFD, 0);
  const std::string ready_path = log_path + ".ready";  // has a line for each further lane
  std::vector<std::string> words = {binary,         "serve",   "--listen",   "127.0.0.1:0",
                                    "--http",       "none",    "--ready-fd", fmt::format("{}", ready[1]),
                                    "--ready-file", ready_path};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::unique_ptr<NodeProcess> node(new NodeProcess());
  const double started_ms = NowMs();
  node->pid_ = fork();
  if (node->pid_ == 0) Exec(binary.c_str(), argv.data(), log_fd);
  close(ready[1]);
  close(log_fd);
  INCIPIT_CHECK(node->pid_ > 0, "fork");
  node->address_ = ReadLine(ready[0]);
  close(ready[0]);
  node->start_ms_ = NowMs() - started_ms;
  if (!node->address_.empty()) {
    std::ifstream ready_file(ready_path);
    std::string line;
    while (std::getline(ready_file, line)) {
      if (line.starts_with("ucx://")) node->ucx_address_ = line;
    }
    return node;
  }
  const int status = node->Wait();
  return absl::UnavailableError(fmt::format("{} serve ended with {}:\n{}", binary, status, TailOf(log_path)));
}

NodeProcess::~NodeProcess() { Kill9(); }

int NodeProcess::Wait() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool NodeProcess::Alive() {
  siginfo_t info{};
  return pid_ > 0 && waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

uint64_t NodeProcess::ResidentBytes() const {
  std::ifstream statm(fmt::format("/proc/{}/statm", pid_));
  uint64_t size_pages = 0, resident_pages = 0;
  statm >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void NodeProcess::Kill9() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

int NodeProcess::Stop() {
  if (pid_ <= 0) return -1;
  kill(pid_, SIGTERM);
  return Wait();
}

ScratchDirectory::ScratchDirectory() {
  const char* base = std::getenv("INCIPIT_CAMPAIGN_DIR");
  if (base == nullptr) base = std::getenv("TMPDIR");
  path_ = fmt::format("{}/incipit-campaign-XXXXXX", base == nullptr ? "/tmp" : base);
  INCIPIT_CHECK(mkdtemp(path_.data()) != nullptr, "make a scratch directory");
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace incipit::campaign
