// The pages under an arena: one anonymous mapping, aligned so that extents are aligned to their own size.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit {

inline constexpr uint64_t kArenaAlignBytes = 4 * kMiB;

// Owns the mapping; unmaps it on destruction. Any thread may create one; move-only. Left out of core dumps, because
// it holds tenants' data.
class ArenaMemory {
 public:
  // `bytes` is a multiple of kArenaAlignBytes. With `huge_pages`, tries explicit 2 MiB pages first, then asks for
  // transparent ones. ResourceExhausted if the kernel has no room for it.
  static absl::StatusOr<ArenaMemory> Map(uint64_t bytes, bool huge_pages);
  ArenaMemory(ArenaMemory&& other) noexcept;
  ArenaMemory& operator=(ArenaMemory&&) = delete;
  ~ArenaMemory();

  // Faults every page in, on two threads. Costs the kernel's zeroing of the whole memory. ResourceExhausted if the
  // kernel refuses.
  absl::Status Touch();

  uint8_t* base() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  const char* page_kind() const { return page_kind_; }  // "huge", "transparent-huge" or "plain"

 private:
  ArenaMemory(uint8_t* base, uint64_t bytes, const char* page_kind)
      : base_(base), bytes_(bytes), page_kind_(page_kind) {}

  uint8_t* base_;
  uint64_t bytes_;
  const char* page_kind_;
};

}  // namespace incipit
