#include "incipit/shared_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "client/src/shared_mapping.h"
#include "fmt/format.h"

namespace incipit {
namespace {

absl::Status Failed(const char* what, uint64_t bytes) {
  return absl::ResourceExhaustedError(
      fmt::format("shared region of {} bytes: {}: {}", bytes, what, std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedRegion>> SharedRegion::Create(uint64_t bytes) {
  if (bytes == 0 || bytes > wire::kMaxRegionBytes) {
    return absl::InvalidArgumentError(
        fmt::format("shared region of {} bytes: allowed are 1 to {}", bytes, wire::kMaxRegionBytes));
  }
  const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  bytes = AlignUp(bytes, page_bytes);
  OwnedFd fd(memfd_create("incipit-region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return Failed("memfd_create", bytes);
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return Failed("ftruncate", bytes);
  // Neither end can pull the memory away from under the other.
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return Failed("seal", bytes);
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return Failed("mmap", bytes);
  madvise(base, bytes, MADV_HUGEPAGE);  // Where shmem_enabled is "advise".
  auto mapping =
      std::make_shared<const SharedMapping>(SharedMappings::NewId(), static_cast<uint8_t*>(base), bytes, std::move(fd));
  SharedMappings::Add(mapping);
  return std::unique_ptr<SharedRegion>(new SharedRegion(std::move(mapping)));
}

SharedRegion::SharedRegion(std::shared_ptr<const SharedMapping> mapping) : mapping_(std::move(mapping)) {}

SharedRegion::~SharedRegion() {
  SharedMappings::Remove(mapping_.get());
  // Nodes learn of it with the next call at the earliest; the memory itself need not wait for that.
  fallocate(mapping_->fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(mapping_->bytes));
}

uint8_t* SharedRegion::data() const { return mapping_->base; }
uint64_t SharedRegion::bytes() const { return mapping_->bytes; }

}  // namespace incipit
