#include "cache/ram/arena.h"

#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "cache/ram/arena_memory.h"
#include "cache/ram/buddy_pool.h"

namespace incipit {
namespace {

// More pieces would waste less and cost more: the waste is under 1 / 2^kMaxOneBits of what is allocated.
constexpr int kMaxOneBits = 5;
constexpr uint64_t kMaxArenaBytes = (uint64_t{1} << 32) * kArenaUnitBytes - kArenaAlignBytes;

// The least number of units that holds `bytes` and has at most kMaxOneBits bits set, hence as many extents while
// memory is not fragmented (those above the largest order apart).
uint64_t UnitsFor(uint64_t bytes) {
  uint64_t rest = (bytes + kArenaUnitBytes - 1) / kArenaUnitBytes;
  uint64_t kept = 0;
  uint64_t lowest = 0;
  for (int i = 0; i < kMaxOneBits && rest != 0; ++i) {
    lowest = std::bit_floor(rest);
    kept += lowest;
    rest -= lowest;
  }
  return rest == 0 ? kept : kept + lowest;
}

}  // namespace

struct Arena::Impl {
  explicit Impl(ArenaMemory mapped) : memory(std::move(mapped)), pool(memory.base(), memory.bytes()) {}

  ArenaMemory memory;
  BuddyPool pool;
  uint64_t requested_bytes = 0;
  uint64_t allocations = 0;
};

absl::StatusOr<std::unique_ptr<Arena>> Arena::Create(const ArenaOptions& options) {
  const uint64_t bytes = AlignDown(options.bytes, kArenaAlignBytes);
  if (bytes == 0 || bytes > kMaxArenaBytes) {
    return absl::InvalidArgumentError(absl::StrCat("arena: size must be ", kArenaAlignBytes, " to ", kMaxArenaBytes,
                                                   " bytes, got ", options.bytes,
                                                   "; change the RAM tier's size or the number of shards"));
  }
  ASSIGN_OR_RETURN(ArenaMemory memory, ArenaMemory::Map(bytes, options.huge_pages));
  if (options.touch) RETURN_IF_ERROR(memory.Touch());
  std::unique_ptr<Arena> arena(new Arena);
  arena->base_ = memory.base();
  arena->capacity_ = bytes;
  arena->impl_ = std::make_unique<Impl>(std::move(memory));
  return arena;
}

Arena::~Arena() = default;

absl::StatusOr<ExtentList> Arena::Allocate(uint64_t bytes) {
  if (bytes == 0 || bytes > kMaxAllocationBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("arena: allocation must be 1 to ", kMaxAllocationBytes, " bytes, got ", bytes));
  }
  uint64_t units = UnitsFor(bytes);
  if (units > impl_->pool.free_units()) {
    return absl::ResourceExhaustedError(absl::StrCat("arena: need ", units * kArenaUnitBytes, " bytes, free ",
                                                     FreeBytes(), " of ", capacity_, "; evict and retry"));
  }
  // Every free block is a power of two and none taken here exceeds what is still missing, so that the sum comes out
  // exact even where the memory is in pieces smaller than asked for.
  ExtentList extents;
  while (units > 0) {
    const int order = std::min<int>(std::bit_width(units) - 1, kMaxExtentOrder);
    extents.push_back(impl_->pool.TakeAtMost(order));
    units -= uint64_t{1} << extents.back().order;
  }
  impl_->requested_bytes += bytes;
  ++impl_->allocations;
  return extents;
}

void Arena::Free(const ExtentList& extents, uint64_t bytes) {
  uint64_t total = 0;
  for (const Extent extent : extents) {
    impl_->pool.Put(extent);
    total += BytesOf(extent);
  }
  INCIPIT_CHECK(bytes > 0 && total == AllocatedBytesFor(bytes),
                absl::StrCat("free of ", bytes, " bytes gave back ", total).c_str());
  INCIPIT_CHECK(bytes <= impl_->requested_bytes && impl_->allocations > 0, "free of more than was allocated");
  impl_->requested_bytes -= bytes;
  --impl_->allocations;
}

uint64_t Arena::AllocatedBytesFor(uint64_t bytes) { return UnitsFor(bytes) * kArenaUnitBytes; }

void Arena::Slice(const ExtentList& extents, uint64_t offset, uint64_t length, std::vector<iovec>* out) const {
  const size_t first = out->size();
  for (const Extent extent : extents) {
    if (length == 0) return;
    const uint64_t extent_bytes = BytesOf(extent);
    if (offset >= extent_bytes) {
      offset -= extent_bytes;
      continue;
    }
    uint8_t* at = At(extent) + offset;
    const uint64_t piece = std::min(length, extent_bytes - offset);
    // Pieces cut from one large block often lie side by side: one entry then.
    if (out->size() > first && static_cast<uint8_t*>(out->back().iov_base) + out->back().iov_len == at) {
      out->back().iov_len += piece;
    } else {
      out->push_back({at, piece});
    }
    offset = 0;
    length -= piece;
  }
  INCIPIT_CHECK(length == 0, absl::StrCat("slice ends ", length, " bytes behind the record").c_str());
}

uint64_t Arena::FreeBytes() const { return impl_->pool.free_units() * kArenaUnitBytes; }

ArenaStats Arena::stats() const {
  ArenaStats stats;
  stats.capacity_bytes = capacity_;
  stats.requested_bytes = impl_->requested_bytes;
  stats.allocated_bytes = capacity_ - FreeBytes();
  stats.allocations = impl_->allocations;
  stats.page_kind = impl_->memory.page_kind();
  return stats;
}

}  // namespace incipit
