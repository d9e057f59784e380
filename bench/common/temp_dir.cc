#include "bench/common/temp_dir.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace incipit::bench {
namespace {

// Runs in the forked child: only calls that are safe between fork and exec.
[[noreturn]] void AwaitEndAndRemove(int fd, const char* path) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  setpgid(0, 0);  // so that kill of the group does not take the helper along
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got > 0) _exit(0);  // removed already
  execl("/bin/rm", "rm", "-rf", "--", path, static_cast<char*>(nullptr));
  _exit(1);
}

}  // namespace

absl::StatusOr<TempDir> TempDir::Create(const std::string& parent) {
  const char* fallback = std::getenv("TMPDIR");
  const std::string below = !parent.empty() ? parent : fallback != nullptr && *fallback != 0 ? fallback : "/tmp";
  std::string path = below + "/incipit-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return absl::UnavailableError(
        fmt::format("cannot make a temporary directory below {}: {}; name another directory "
                    "with --work-dir",
                    below, std::strerror(errno)));
  }
  TempDir dir;
  dir.path_ = std::filesystem::absolute(path).string();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) == 0) {
    dir.helper_ = fork();
    if (dir.helper_ == 0) {
      close(ends[1]);
      AwaitEndAndRemove(ends[0], dir.path_.c_str());
    }
    close(ends[0]);
    dir.alive_fd_ = ends[1];
  }
  return dir;
}

TempDir::TempDir(TempDir&& other) noexcept
    : path_(std::exchange(other.path_, std::string())),
      alive_fd_(std::exchange(other.alive_fd_, -1)),
      helper_(std::exchange(other.helper_, -1)) {}

TempDir::~TempDir() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  if (alive_fd_ >= 0) {
    const char done = 1;
    [[maybe_unused]] const ssize_t written = write(alive_fd_, &done, 1);
    close(alive_fd_);
  }
  if (helper_ > 0) waitpid(helper_, nullptr, 0);
}

}  // namespace incipit::bench
