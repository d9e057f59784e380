#include "client/cli/doctor/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

absl::Status OpenError(const std::string& directory, const char* what, int error) {
  const std::string message = absl::StrCat(what, " in '", directory, "': ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == ENOTDIR) return absl::InvalidArgumentError(message);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<ScratchFile> ScratchFile::Open(const std::string& directory) {
  // Made under a name, since not all file systems have O_TMPFILE, and unlinked before anything else can go wrong.
  std::string path = absl::StrCat(directory, "/.incipit-doctor-XXXXXX");
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return OpenError(directory, "cannot create a file", errno);
  const int direct = open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
  const int error = errno;
  unlink(path.c_str());
  close(fd);
  if (direct < 0) {
    if (error != EINVAL) return OpenError(directory, "cannot open a file", error);
    return absl::FailedPreconditionError(absl::StrCat("O_DIRECT is refused in '", directory, "'"));
  }
  return ScratchFile(direct);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace incipit
