#include "cache/ram/arena_memory.h"

#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr uint64_t kHugePageBytes = 2 * kMiB;

uint8_t* MapAnonymous(uint64_t bytes, int extra_flags) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra_flags, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<uint8_t*>(at);
}

// Maps `slack` more than needed and gives back what lies outside the aligned part. Replacing a reservation by
// MAP_FIXED instead would leave a hole, open to other threads' mappings, whenever the second mmap fails.
uint8_t* MapAligned(uint64_t bytes, uint64_t slack, int extra_flags) {
  uint8_t* start = MapAnonymous(bytes + slack, extra_flags);
  if (start == nullptr) return nullptr;
  const uint64_t address = reinterpret_cast<uint64_t>(start);
  const uint64_t head = AlignUp(address, kArenaAlignBytes) - address;
  if (head > slack) {
    munmap(start, bytes + slack);
    return nullptr;
  }
  if (head > 0) munmap(start, head);
  if (slack > head) munmap(start + head + bytes, slack - head);
  return start + head;
}

uint8_t* MapHugePages(uint64_t bytes) {
  // Without slack first: the pool may hold exactly as many pages as the operator configured for us.
  uint8_t* base = MapAligned(bytes, 0, MAP_HUGETLB);
  return base != nullptr ? base : MapAligned(bytes, kHugePageBytes, MAP_HUGETLB);
}

// madvise succeeds even where the administrator switched transparent huge pages off.
bool TransparentHugePagesAllowed() {
  std::FILE* file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (file == nullptr) return false;
  char text[128] = {};
  const size_t length = std::fread(text, 1, sizeof(text) - 1, file);
  std::fclose(file);
  return std::string_view(text, length).find("[never]") == std::string_view::npos;
}

// 0 or an errno value.
int TouchRange(uint8_t* from, uint64_t bytes) {
  if (bytes == 0) return 0;
#if defined(MADV_POPULATE_WRITE)
  if (madvise(from, bytes, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno != EINVAL) return errno;
#endif
  const uint64_t page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  for (uint64_t at = 0; at < bytes; at += page_bytes) static_cast<volatile uint8_t*>(from)[at] = 0;
  return 0;
}

}  // namespace

absl::StatusOr<ArenaMemory> ArenaMemory::Map(uint64_t bytes, bool huge_pages) {
  const char* page_kind = "huge";
  uint8_t* base = huge_pages ? MapHugePages(bytes) : nullptr;
  if (base == nullptr) {
    page_kind = "plain";
    base = MapAligned(bytes, kArenaAlignBytes, 0);
    if (base == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat("arena: cannot map ", bytes, " bytes of memory (", std::strerror(errno),
                       "); make the RAM tier smaller, or raise the memory limit of the process (ulimit -v, cgroup)"));
    }
    if (huge_pages && TransparentHugePagesAllowed() && madvise(base, bytes, MADV_HUGEPAGE) == 0) {
      page_kind = "transparent-huge";
    }
  }
  madvise(base, bytes, MADV_DONTDUMP);
  return ArenaMemory(base, bytes, page_kind);
}

ArenaMemory::ArenaMemory(ArenaMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_), page_kind_(other.page_kind_) {}

ArenaMemory::~ArenaMemory() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

absl::Status ArenaMemory::Touch() {
  const uint64_t half = AlignDown(bytes_ / 2, kArenaAlignBytes);
  int first_error = 0;
  std::thread first([&] { first_error = TouchRange(base_, half); });
  const int second_error = TouchRange(base_ + half, bytes_ - half);
  first.join();
  const int error = first_error != 0 ? first_error : second_error;
  if (error == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("arena: cannot get ", bytes_, " bytes of ", page_kind_, " pages (",
                                                   std::strerror(error), "); make the RAM tier smaller"));
}

}  // namespace incipit
