#include "client/cli/doctor/storage_checks.h"

#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/runtime/file_system_name.h"
#include "client/cli/doctor/scratch_file.h"
#include "client/cli/doctor/units.h"

namespace incipit {
namespace {

constexpr uint64_t kDefaultWantedBytes = 10ull << 30;
constexpr size_t kPageBytes = 4096;

absl::Status WriteAndReadBack(int fd) {
  alignas(kPageBytes) static std::array<char, kPageBytes> written, read_back;
  for (size_t i = 0; i < kPageBytes; ++i) written[i] = static_cast<char>(i * 31 + 7);
  const ssize_t wrote = pwrite(fd, written.data(), kPageBytes, 0);
  if (wrote != static_cast<ssize_t>(kPageBytes)) {
    return absl::UnavailableError(absl::StrCat("writing 4 KiB: ", wrote < 0 ? std::strerror(errno) : "short write"));
  }
  const ssize_t got = pread(fd, read_back.data(), kPageBytes, 0);
  if (got != static_cast<ssize_t>(kPageBytes)) {
    return absl::UnavailableError(absl::StrCat("reading 4 KiB: ", got < 0 ? std::strerror(errno) : "short read"));
  }
  if (written != read_back) return absl::DataLossError("4 KiB read back differ from those written");
  return absl::OkStatus();
}

std::string AdviceFor(const absl::Status& status, const std::string& directory) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return absl::StrCat("mkdir -p ", directory);
    case absl::StatusCode::kInvalidArgument:
      return "give a directory: --dir DIR";
    case absl::StatusCode::kPermissionDenied:
      return absl::StrCat("make it writable: chown $(id -un) ", directory);
    case absl::StatusCode::kDataLoss:
      return "do not use this device; see dmesg";
    default:
      return "put the tier on ext4 or xfs on a local NVMe drive, or give a raw device; see dmesg for errors";
  }
}

}  // namespace

DoctorCheck CheckDirectIo(const std::string& directory) {
  DoctorCheck check{.name = "direct_io"};
  struct statfs stats {};
  const bool known = statfs(directory.c_str(), &stats) == 0;
  const std::string file_system = known ? FileSystemName(static_cast<uint32_t>(stats.f_type)) : "unknown";
  check.details = {{"directory", directory}, {"file_system", file_system}};
  absl::StatusOr<ScratchFile> file = ScratchFile::Open(directory);
  const absl::Status status = file.ok() ? WriteAndReadBack(file->fd()) : file.status();
  if (!status.ok()) {
    check.status = DoctorStatus::kFail;
    check.found = absl::StrCat(status.message(), " (file system ", file_system, ")");
    check.advice = AdviceFor(status, directory);
    return check;
  }
  check.found = absl::StrCat("O_DIRECT works on ", file_system, " at ", directory);
  if (file_system == "tmpfs" || file_system == "ramfs") {
    check.status = DoctorStatus::kWarn;
    absl::StrAppend(&check.found, ", which is memory, not a disk");
    check.advice = "give a directory on a local NVMe drive: --dir DIR";
  } else if (file_system == "nfs" || file_system == "fuse" || file_system == "9p") {
    check.status = DoctorStatus::kWarn;
    absl::StrAppend(&check.found, ", which is not a local disk");
    check.advice = "give a directory on a local NVMe drive: --dir DIR";
  }
  return check;
}

DoctorCheck CheckFreeSpace(const std::string& directory, uint64_t wanted_bytes) {
  DoctorCheck check{.name = "free_space"};
  struct statvfs stats {};
  if (statvfs(directory.c_str(), &stats) != 0) {
    check.status = DoctorStatus::kFail;
    check.found = absl::StrCat("statvfs of '", directory, "': ", std::strerror(errno));
    check.advice = absl::StrCat("mkdir -p ", directory);
    check.details = {{"directory", directory}};
    return check;
  }
  const uint64_t free_bytes = uint64_t{stats.f_bavail} * stats.f_frsize;
  const uint64_t wanted = wanted_bytes == 0 ? kDefaultWantedBytes : wanted_bytes;
  check.details = {{"directory", directory}, {"free_bytes", free_bytes}, {"wanted_bytes", wanted}};
  check.found = absl::StrCat(FormatBytes(free_bytes), " free at ", directory);
  if (free_bytes >= wanted) return check;
  // Too little for a size that was asked for stops a node; too little for our guess does not.
  check.status = wanted_bytes == 0 ? DoctorStatus::kWarn : DoctorStatus::kFail;
  absl::StrAppend(&check.found, ", ", FormatBytes(wanted), " wanted");
  check.advice = "free some, choose another directory, or make the tier smaller (--nvme-bytes)";
  return check;
}

}  // namespace incipit
