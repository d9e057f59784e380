// A file opened with O_DIRECT in a directory to be judged, and gone from there at once: it has no name, so that not
// even a killed doctor leaves it behind.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace incipit {

// Owner of the descriptor; closes it. Movable.
class ScratchFile {
 public:
  // NotFound: no such directory. InvalidArgument: not a directory. PermissionDenied. FailedPrecondition: the file
  // system refuses O_DIRECT.
  static absl::StatusOr<ScratchFile> Open(const std::string& directory);
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&& other) = delete;
  ~ScratchFile();

  int fd() const { return fd_; }

 private:
  explicit ScratchFile(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace incipit
