#include "transport/shared/mapped_region.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

absl::Status Refuse(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("region: ", what, "; pass a memfd made with MFD_ALLOW_SEALING and sealed with F_SEAL_SHRINK"));
}

// The seal is looked at before the size: from then on the size can only grow.
absl::Status Check(int fd, uint64_t bytes) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return Refuse(absl::StrCat("the descriptor is no memfd (", std::strerror(errno), ")"));
  if ((seals & F_SEAL_SHRINK) == 0) return Refuse("the memory may shrink");
  struct stat info {};
  struct statfs system {};
  if (fstat(fd, &info) != 0 || fstatfs(fd, &system) != 0) return Refuse(std::strerror(errno));
  if (!S_ISREG(info.st_mode) || system.f_type != TMPFS_MAGIC) {
    return Refuse(system.f_type == HUGETLBFS_MAGIC ? "huge pages (MFD_HUGETLB) are not taken"
                                                   : "the descriptor is no memfd");
  }
  if (static_cast<uint64_t>(info.st_size) != bytes) {
    return Refuse(absl::StrCat("the memory has ", info.st_size, " bytes, ", bytes, " were stated"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<MappedRegion>> MappedRegion::Map(const OwnedFd& memory, uint64_t bytes) {
  RETURN_IF_ERROR(Check(memory.get(), bytes));
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    if (error == EPERM || error == EACCES) return Refuse("the memory cannot be written to");
    return absl::ResourceExhaustedError(absl::StrCat("region of ", bytes, " bytes: mmap: ", std::strerror(error)));
  }
  madvise(base, bytes, MADV_DONTDUMP);  // It holds tenants' data.
  madvise(base, bytes, MADV_HUGEPAGE);  // Where shmem_enabled is "advise"; otherwise it changes nothing.
  return std::shared_ptr<MappedRegion>(new MappedRegion(static_cast<uint8_t*>(base), bytes));
}

MappedRegion::~MappedRegion() { munmap(base_, bytes_); }

}  // namespace incipit
