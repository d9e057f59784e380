#include "cache/runtime/uring_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/format/region.h"
#include "cache/runtime/file_system_name.h"

namespace incipit {
namespace {

constexpr uint32_t kLockPollMs = 10;
constexpr uint64_t kMaxTransferBytes = 1ull << 30;  // the kernel cuts longer ones anyway

std::string FileSystemOf(int fd, const std::string& path) {
  struct statfs info {};
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const char* place = folder.empty() ? "." : folder.c_str();
  if ((fd >= 0 ? fstatfs(fd, &info) : statfs(place, &info)) != 0) return "unknown";
  return FileSystemName(static_cast<uint32_t>(info.f_type));
}

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<UringDisk>> UringDisk::Open(UringLoop* loop, const UringDiskOptions& options) {
  if (options.start_bytes % kDiskPageBytes != 0) {
    return absl::InvalidArgumentError(absl::StrCat("disk ", options.path, ": start_bytes ", options.start_bytes,
                                                   " is not a multiple of ", kDiskPageBytes));
  }
  std::unique_ptr<UringDisk> disk(new UringDisk(loop, options));
  RETURN_IF_ERROR(disk->OpenPath());
  struct stat info {};
  if (fstat(disk->fd_, &info) != 0) return disk->Failed("stat", 0, 0, errno);
  if (!S_ISBLK(info.st_mode) && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(options.path, " is neither a file nor a block device"));
  }
  if (S_ISBLK(info.st_mode)) RETURN_IF_ERROR(disk->SizeDevice());
  if (S_ISREG(info.st_mode)) disk->capacity_bytes_ = AlignDown(options.bytes, kDiskPageBytes);
  if (disk->capacity_bytes_ == 0) {
    return absl::InvalidArgumentError(absl::StrCat("disk ", options.path, ": its size would be 0; set its bytes"));
  }
  RETURN_IF_ERROR(disk->LockRange());
  if (S_ISREG(info.st_mode)) RETURN_IF_ERROR(disk->SizeFile(info.st_size));
  RETURN_IF_ERROR(disk->TryDirectRead());
  return disk;
}

UringDisk::~UringDisk() {
  if (fd_ < 0) return;
  // Not left to close(): the ring may hold the file for a moment longer.
  SetLock(F_UNLCK);
  close(fd_);
}

// 0, or errno.
int UringDisk::SetLock(int16_t type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(options_.start_bytes);
  lock.l_len = static_cast<off_t>(capacity_bytes_);
  return fcntl(fd_, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

absl::Status UringDisk::RefusedDirect(int error, const char* operation) const {
  return absl::FailedPreconditionError(
      absl::StrCat(options_.path, ": direct I/O (O_DIRECT) refused at ", operation, " on file system ",
                   FileSystemOf(fd_, options_.path), ": ", std::strerror(error),
                   "; set the NVMe path to a file on ext4 or xfs, or to a block device"));
}

absl::Status UringDisk::OpenPath() {
  fd_ = open(options_.path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
  if (fd_ >= 0) return absl::OkStatus();
  const int error = errno;
  if (error == EINVAL) return RefusedDirect(error, "open");
  const std::string message = absl::StrCat("open ", options_.path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(absl::StrCat(message, "; create its folder"));
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(absl::StrCat(message, "; give this user read and write access"));
  }
  if (error == ENOSPC) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

absl::Status UringDisk::SizeDevice() {
  uint64_t device_bytes = 0;
  int sector_bytes = 0;
  if (ioctl(fd_, BLKGETSIZE64, &device_bytes) != 0 || ioctl(fd_, BLKSSZGET, &sector_bytes) != 0) {
    return Failed("read the size", 0, 0, errno);
  }
  if (static_cast<uint64_t>(sector_bytes) > kDiskPageBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path, ": its sectors of ", sector_bytes, " bytes are larger than ", kDiskPageBytes));
  }
  if (options_.start_bytes > device_bytes || options_.bytes > device_bytes - options_.start_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(options_.path, ": range of ", options_.bytes, " bytes from ",
                                                   options_.start_bytes, " exceeds the device's ", device_bytes));
  }
  const uint64_t rest_bytes = device_bytes - options_.start_bytes;
  capacity_bytes_ = AlignDown(options_.bytes == 0 ? rest_bytes : options_.bytes, kDiskPageBytes);
  return absl::OkStatus();
}

absl::Status UringDisk::SizeFile(uint64_t present_bytes) {
  const uint64_t end = options_.start_bytes + capacity_bytes_;
  if (!options_.preallocate) {
    if (present_bytes < end && ftruncate(fd_, static_cast<off_t>(end)) != 0) return Failed("extend", 0, end, errno);
    return absl::OkStatus();
  }
  // Done on every start, not only on a short file: a run that was interrupted may have left holes.
  if (fallocate(fd_, 0, static_cast<off_t>(options_.start_bytes), static_cast<off_t>(capacity_bytes_)) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    struct statvfs space {};
    struct stat info {};
    fstatvfs(fd_, &space);
    fstat(fd_, &info);
    const uint64_t held = static_cast<uint64_t>(info.st_blocks) * 512;
    // What a failed attempt allocated is given back, so that the file system is not left full.
    [[maybe_unused]] const int ignored = ftruncate(fd_, static_cast<off_t>(present_bytes));
    return absl::ResourceExhaustedError(
        absl::StrCat(options_.path, ": cannot preallocate ", end, " bytes: ", std::strerror(error), "; the file holds ",
                     held, " bytes and its file system has ", uint64_t{space.f_bavail} * space.f_frsize,
                     " free; free some or lower the NVMe bytes"));
  }
  if (error == EOPNOTSUPP) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path, ": file system ", FileSystemOf(fd_, options_.path),
                     " cannot preallocate (fallocate); use ext4, xfs or a block device"));
  }
  return Failed("preallocate", 0, end, error);
}

// A lock of the byte range, held by this open file: shards of one process share a device, two processes never share
// a range. It ends with the process, however that ends.
absl::Status UringDisk::LockRange() {
  int error = SetLock(F_WRLCK);
  for (uint32_t waited_ms = 0; error == EAGAIN && waited_ms < options_.lock_wait_ms; waited_ms += kLockPollMs) {
    usleep(kLockPollMs * 1000);
    error = SetLock(F_WRLCK);
  }
  if (error == 0) return absl::OkStatus();
  if (error == EAGAIN || error == EACCES) {
    return absl::FailedPreconditionError(absl::StrCat(
        options_.path, ": bytes from ", options_.start_bytes, " to ", options_.start_bytes + capacity_bytes_,
        " are in use by another process or shard; stop it or set another path"));
  }
  return Failed("lock", 0, capacity_bytes_, error);
}

// Some file systems accept the flag and refuse the transfer.
absl::Status UringDisk::TryDirectRead() {
  std::unique_ptr<void, FreeMemory> page(std::aligned_alloc(kDiskPageBytes, kDiskPageBytes));
  const ssize_t got = pread(fd_, page.get(), kDiskPageBytes, static_cast<off_t>(options_.start_bytes));
  if (got < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) return RefusedDirect(errno, "the first read");
  if (got < 0) return Failed("read", 0, kDiskPageBytes, errno);
  return absl::OkStatus();
}

absl::Status UringDisk::CheckRange(const char* operation, uint64_t offset, uint64_t bytes) const {
  if (offset <= capacity_bytes_ && bytes <= capacity_bytes_ - offset) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(options_.path, ": ", operation, " of ", bytes, " bytes at ", offset,
                                            ": beyond the capacity of ", capacity_bytes_));
}

absl::Status UringDisk::Failed(const char* operation, uint64_t offset, uint64_t bytes, int error) const {
  const std::string message =
      absl::StrCat(options_.path, ": ", operation, " of ", bytes, " bytes at ", offset, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

Task<absl::Status> UringDisk::Read(uint64_t offset, MutableBytes into) {
  absl::Status status = CheckRange("read", offset, into.size());
  const int fixed = loop_->FixedBufferIndex(into.data(), into.size());
  uint64_t done = 0;
  while (status.ok() && done < into.size()) {
    uint8_t* address = into.data() + done;
    const auto bytes = static_cast<unsigned>(std::min<uint64_t>(into.size() - done, kMaxTransferBytes));
    const uint64_t at = options_.start_bytes + offset + done;
    const int32_t result = co_await loop_->Submit([this, address, bytes, at, fixed](io_uring_sqe* sqe) {
      if (fixed >= 0) {
        io_uring_prep_read_fixed(sqe, fd_, address, bytes, at, fixed);
      } else {
        io_uring_prep_read(sqe, fd_, address, bytes, at);
      }
    });
    if (result == -EINTR || result == -EAGAIN) continue;
    // A transfer that ended inside a page starts again with that page: direct I/O knows whole pages only.
    const uint64_t progress = result > 0 ? AlignDown(static_cast<uint64_t>(result), kDiskPageBytes) : 0;
    if (progress == 0) status = Failed("read", offset + done, bytes, result < 0 ? -result : EIO);
    done += progress;
  }
  co_return status;
}

Task<absl::Status> UringDisk::Write(uint64_t offset, ByteView from) {
  absl::Status status = CheckRange("write", offset, from.size());
  const int fixed = loop_->FixedBufferIndex(from.data(), from.size());
  uint64_t done = 0;
  while (status.ok() && done < from.size()) {
    const uint8_t* address = from.data() + done;
    const auto bytes = static_cast<unsigned>(std::min<uint64_t>(from.size() - done, kMaxTransferBytes));
    const uint64_t at = options_.start_bytes + offset + done;
    const int32_t result = co_await loop_->Submit([this, address, bytes, at, fixed](io_uring_sqe* sqe) {
      if (fixed >= 0) {
        io_uring_prep_write_fixed(sqe, fd_, address, bytes, at, fixed);
      } else {
        io_uring_prep_write(sqe, fd_, address, bytes, at);
      }
    });
    if (result == -EINTR || result == -EAGAIN) continue;
    const uint64_t progress = result > 0 ? AlignDown(static_cast<uint64_t>(result), kDiskPageBytes) : 0;
    if (progress == 0) status = Failed("write", offset + done, bytes, result < 0 ? -result : EIO);
    done += progress;
  }
  co_return status;
}

Task<absl::Status> UringDisk::Flush() {
  const int32_t result =
      co_await loop_->Submit([this](io_uring_sqe* sqe) { io_uring_prep_fsync(sqe, fd_, IORING_FSYNC_DATASYNC); });
  if (result < 0) co_return Failed("flush", 0, capacity_bytes_, -result);
  co_return absl::OkStatus();
}

}  // namespace incipit
