#include "bench/common/mapped_buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cache/base/status_macros.h"

namespace incipit::bench {

absl::StatusOr<MappedBuffer> MappedBuffer::Create(uint64_t bytes) {
  bytes = std::max<uint64_t>(bytes, 1);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(fmt::format("cannot map {} bytes: {}", bytes, std::strerror(errno)));
  }
  madvise(memory, bytes, MADV_HUGEPAGE);
  // Or starting another process, for a ceiling, would make every page of ours fault at the next write to it.
  madvise(memory, bytes, MADV_DONTFORK);
  std::memset(memory, 1, bytes);
  MappedBuffer buffer;
  buffer.bytes_ = {static_cast<uint8_t*>(memory), bytes};
  return buffer;
}

absl::StatusOr<MappedBuffer> MappedBuffer::CreateShared(uint64_t bytes) {
  MappedBuffer buffer;
  ASSIGN_OR_RETURN(buffer.shared_, SharedRegion::Create(std::max<uint64_t>(bytes, 1)));
  buffer.bytes_ = {buffer.shared_->data(), bytes};
  std::memset(buffer.bytes_.data(), 1, bytes);
  return buffer;
}

MappedBuffer::~MappedBuffer() {
  if (shared_ == nullptr && !bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace incipit::bench
