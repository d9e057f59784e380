#include "client/cli/doctor/disk_speed.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <liburing.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cache/base/status_macros.h"
#include "client/cli/doctor/scratch_file.h"

namespace incipit {
namespace {

constexpr size_t kAlignBytes = 4096;
// Below these a drive is no faster than computing the blocks of a large model again.
constexpr double kSlowReadBytesPerS = 1e9;
constexpr double kSlowWriteBytesPerS = 3e8;

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

struct FreeDeleter {
  void operator()(char* memory) const { std::free(memory); }
};

absl::Status IoError(const char* what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  return error == ENOSPC ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

// One pass over the file, `depth` blocks in flight, on a ring of its own.
class Pass {
 public:
  Pass(const DiskSpeedOptions& options, int fd, bool write) : options_(options), fd_(fd), write_(write) {}
  ~Pass() {
    if (ring_made_) io_uring_queue_exit(&ring_);
  }

  // Moves up to `limit_bytes`; gives the bytes moved before the time was up.
  absl::StatusOr<uint64_t> Run(uint64_t limit_bytes) {
    const int error = io_uring_queue_init(options_.depth, &ring_, 0);
    if (error < 0) return IoError("io_uring_setup", -error);
    ring_made_ = true;
    const size_t buffer_bytes = size_t{options_.depth} * options_.block_bytes;
    buffers_.reset(static_cast<char*>(std::aligned_alloc(kAlignBytes, buffer_bytes)));
    if (buffers_ == nullptr) return absl::ResourceExhaustedError("no memory for the buffers of the disk measurement");
    // Bytes that do not compress: some drives would report more than they can do for zeros.
    uint64_t state = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i + sizeof(state) <= buffer_bytes; i += sizeof(state)) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::memcpy(buffers_.get() + i, &state, sizeof(state));
    }
    const auto deadline = SteadyClock::now() + std::chrono::milliseconds(options_.phase_limit_ms);
    absl::Status status;
    for (uint32_t slot = 0; slot < options_.depth && next_ < limit_bytes; ++slot) Start(slot);
    while (in_flight_ > 0) {
      const absl::StatusOr<uint32_t> slot = FinishOne();
      if (!slot.ok()) status.Update(slot.status());
      // After an error the rest is still waited for: the kernel may yet write into the buffers.
      else if (status.ok() && next_ < limit_bytes && SteadyClock::now() < deadline)
        Start(*slot);
    }
    if (!status.ok()) return status;
    return moved_;
  }

 private:
  void Start(uint32_t slot) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);  // Never null: as many entries as blocks in flight.
    char* buffer = buffers_.get() + size_t{slot} * options_.block_bytes;
    if (write_)
      io_uring_prep_write(sqe, fd_, buffer, options_.block_bytes, next_);
    else
      io_uring_prep_read(sqe, fd_, buffer, options_.block_bytes, next_);
    sqe->user_data = slot;
    next_ += options_.block_bytes;
    ++in_flight_;
  }

  absl::StatusOr<uint32_t> FinishOne() {
    int submitted = 0;
    do submitted = io_uring_submit_and_wait(&ring_, 1);
    while (submitted == -EINTR);
    io_uring_cqe* cqe = nullptr;
    if (submitted < 0 || io_uring_peek_cqe(&ring_, &cqe) != 0) std::abort();  // the ring itself is broken
    const int32_t result = cqe->res;
    const uint32_t slot = static_cast<uint32_t>(cqe->user_data);
    io_uring_cqe_seen(&ring_, cqe);
    --in_flight_;
    const char* what = write_ ? "writing the measuring file" : "reading the measuring file";
    if (result < 0) return IoError(what, -result);
    if (static_cast<uint32_t>(result) != options_.block_bytes) {
      return absl::UnavailableError(absl::StrCat(what, ": ", result, " bytes moved of ", options_.block_bytes));
    }
    moved_ += options_.block_bytes;
    return slot;
  }

  const DiskSpeedOptions& options_;
  const int fd_;
  const bool write_;
  io_uring ring_{};
  bool ring_made_ = false;
  std::unique_ptr<char, FreeDeleter> buffers_;
  uint64_t next_ = 0;
  uint64_t moved_ = 0;
  uint32_t in_flight_ = 0;
};

}  // namespace

absl::StatusOr<DiskSpeed> MeasureDiskSpeed(const DiskSpeedOptions& options) {
  ASSIGN_OR_RETURN(const ScratchFile file, ScratchFile::Open(options.directory));
  // Some file systems cannot preallocate; the measurement is then of writing and allocating.
  const int allocated = posix_fallocate(file.fd(), 0, static_cast<off_t>(options.total_bytes));
  if (allocated == ENOSPC) return IoError("reserving the measuring file", allocated);
  DiskSpeed speed;
  SteadyClock::time_point start = SteadyClock::now();
  ASSIGN_OR_RETURN(speed.written_bytes, Pass(options, file.fd(), true).Run(options.total_bytes));
  if (fdatasync(file.fd()) != 0) return IoError("flushing the measuring file", errno);
  speed.write_bytes_per_s = static_cast<double>(speed.written_bytes) / SecondsSince(start);
  start = SteadyClock::now();
  ASSIGN_OR_RETURN(speed.read_bytes, Pass(options, file.fd(), false).Run(speed.written_bytes));
  speed.read_bytes_per_s = static_cast<double>(speed.read_bytes) / SecondsSince(start);
  return speed;
}

DoctorCheck JudgeDiskSpeed(const absl::StatusOr<DiskSpeed>& speed) {
  DoctorCheck check{.name = "disk_speed", .details = nlohmann::json::object()};
  if (!speed.ok()) {
    check.status = DoctorStatus::kFail;
    check.found = std::string(speed.status().message());
    check.advice = absl::IsResourceExhausted(speed.status()) ? "free some space, or give another directory with --dir"
                                                             : "see the checks io_uring and direct_io, and dmesg";
    return check;
  }
  check.details = {{"write_bytes_per_s", speed->write_bytes_per_s},
                   {"read_bytes_per_s", speed->read_bytes_per_s},
                   {"measured_bytes", speed->read_bytes}};
  check.found = absl::StrFormat("writes %.2f GB/s, reads %.2f GB/s (1 MiB blocks, 8 in flight)",
                                speed->write_bytes_per_s / 1e9, speed->read_bytes_per_s / 1e9);
  if (speed->read_bytes_per_s < kSlowReadBytesPerS || speed->write_bytes_per_s < kSlowWriteBytesPerS) {
    check.status = DoctorStatus::kWarn;
    check.advice =
        "loading from here may be slower than computing again: give a local NVMe drive with --dir, or run "
        "with RAM only (--nvme-bytes 0)";
  }
  return check;
}

}  // namespace incipit
