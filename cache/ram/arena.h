// The memory of one shard's RAM tier: hands out records of any size as short lists of power-of-two extents.
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/ram/extent.h"

namespace incipit {

// Room for the largest record, header included.
inline constexpr uint64_t kMaxAllocationBytes = 65 * kMiB;

struct ArenaOptions {
  uint64_t bytes = 0;      // rounded down to whole 4 MiB
  bool huge_pages = true;  // try MAP_HUGETLB, then transparent huge pages, then plain pages
  bool touch = true;       // fault all pages in now rather than under load
};

struct ArenaStats {
  uint64_t capacity_bytes = 0;
  uint64_t requested_bytes = 0;  // sum of the sizes asked for by live allocations
  uint64_t allocated_bytes = 0;  // sum of their extents; waste = allocated - requested
  uint64_t allocations = 0;
  const char* page_kind = "plain";  // "huge", "transparent-huge", "plain"
};

// One thread only (its shard's). Memory stays mapped, at the same address, until destruction.
class Arena {
 public:
  // ResourceExhausted if the memory cannot be mapped, InvalidArgument if it is under 4 MiB or over 512 GiB; the message
  // names the size and what to change.
  static absl::StatusOr<std::unique_ptr<Arena>> Create(const ArenaOptions& options);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Memory for `bytes` (1 .. kMaxAllocationBytes) as extents in order. Of what it takes, less than 1/32 is waste, or
  // less than one unit for allocations under 4 KiB. ResourceExhausted if FreeBytes() < AllocatedBytesFor(bytes), and
  // then nothing is taken: evict and retry; freeing that much always suffices, however scattered the free memory is.
  // Keep about 1 % of the capacity free nevertheless: it holds the mean at four extents where a full arena gives ten
  // to twenty. Cost: a few list operations per extent; a failure formats a message, so ask FreeBytes() first where it
  // is likely.
  absl::StatusOr<ExtentList> Allocate(uint64_t bytes);
  // `bytes` as given to Allocate. The caller guarantees that nothing reads or writes the memory any more.
  // A double free, or a list that Allocate did not give, ends the process.
  void Free(const ExtentList& extents, uint64_t bytes);

  // Bytes that an allocation of `bytes` takes. Pure.
  static uint64_t AllocatedBytesFor(uint64_t bytes);

  uint8_t* At(Extent extent) const { return base_ + extent.unit * kArenaUnitBytes; }
  static uint64_t BytesOf(Extent extent) { return kArenaUnitBytes << extent.order; }
  // Appends the pieces of `extents` that hold bytes [offset, offset + length) of the record; neighbours in memory
  // become one piece. REQUIRES: the range lies within the extents.
  void Slice(const ExtentList& extents, uint64_t offset, uint64_t length, std::vector<iovec>* out) const;

  MutableBytes memory() const { return {base_, capacity_}; }
  uint64_t FreeBytes() const;
  ArenaStats stats() const;

 private:
  Arena() = default;
  struct Impl;
  uint8_t* base_ = nullptr;
  uint64_t capacity_ = 0;
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit
