#include "transport/auth/secret_file.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr size_t kNewSecretBytes = 32;
constexpr mode_t kOpenToOthers = S_IRWXO | S_IWGRP;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status FailedTo(const std::string& what, const std::string& path, int error) {
  const std::string message = absl::StrCat(what, " ", path, ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat(message, ": run as its owner, or give this user's group read access"));
  }
  return absl::UnavailableError(message);
}

absl::Status CheckMode(const std::string& what, const std::string& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": not a regular file"));
  if ((info.st_mode & kOpenToOthers) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", static_cast<unsigned>(info.st_mode & 07777));
    return absl::PermissionDeniedError(
        absl::StrCat(what, " ", path, ": mode ", mode, " lets others read or change secrets; chmod 600 ", path));
  }
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, " ", path, ": belongs to user ", info.st_uid,
                     ", neither to this process's user nor to root, who could change it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadPrivateFile(const std::string& what, const std::string& path, size_t max_bytes) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return FailedTo(what, path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return FailedTo(what, path, errno);
  RETURN_IF_ERROR(CheckMode(what, path, info));
  std::string text(max_bytes + 1, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = read(file.get(), text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailedTo(what, path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  if (done > max_bytes) {
    Wipe(text.data(), text.size());
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": over the limit of ", max_bytes, " bytes"));
  }
  text.resize(done);
  return text;
}

absl::StatusOr<std::vector<uint8_t>> ReadSecret(const std::string& what, const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadPrivateFile(what, path, kMaxSecretFileBytes));
  absl::StatusOr<std::vector<uint8_t>> secret = DecodeSecret(text);
  Wipe(text.data(), text.size());
  if (secret.ok()) return secret;
  return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": ", secret.status().message()));
}

absl::StatusOr<TenantKey> ReadSecretFile(const std::string& what, const std::string& path) {
  ASSIGN_OR_RETURN(std::vector<uint8_t> secret, ReadSecret(what, path));
  const TenantKey key(secret);
  Wipe(secret.data(), secret.size());
  return key;
}

absl::StatusOr<std::string> ReadPasswordFile(const std::string& what, const std::string& path) {
  if (path.empty()) return std::string();
  ASSIGN_OR_RETURN(const std::string text, ReadPrivateFile(what, path, kMaxSecretFileBytes));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::Status WriteNewSecretFile(const std::string& path) {
  std::array<uint8_t, kNewSecretBytes> secret;
  if (RAND_bytes(secret.data(), secret.size()) != 1) return absl::InternalError("no random bytes from OpenSSL");
  std::string line = absl::BytesToHexString({reinterpret_cast<const char*>(secret.data()), secret.size()}) + "\n";
  Wipe(secret.data(), secret.size());
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  const int error = errno;
  absl::Status status;
  if (file.get() < 0 && error == EEXIST) {
    status = absl::AlreadyExistsError(absl::StrCat(path, " exists: remove it to replace the secret, or name another"));
  } else if (file.get() < 0) {
    status = FailedTo("secret file", path, error);
  } else if (write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    status = absl::UnavailableError(absl::StrCat("secret file ", path, ": could not be written whole"));
  }
  Wipe(line.data(), line.size());
  return status;
}

}  // namespace incipit
