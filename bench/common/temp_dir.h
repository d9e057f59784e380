// A directory that is gone when its maker is, however that ends.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace incipit::bench {

// Removed by the destructor; if this process is killed first, by a small helper process that waits for its end.
// Move-only. REQUIRES of Create: no other thread is running that could hold a lock across fork.
class TempDir {
 public:
  // Makes a directory below `parent`; empty: below $TMPDIR, or /tmp.
  static absl::StatusOr<TempDir> Create(const std::string& parent);
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const std::string& path() const { return path_; }

 private:
  TempDir() = default;
  std::string path_;   // empty: moved from
  int alive_fd_ = -1;  // the helper reads the other end; end of file = we are gone
  pid_t helper_ = -1;
};

}  // namespace incipit::bench
