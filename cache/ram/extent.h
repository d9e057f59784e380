// The pieces that arena memory is handed out in.
#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"

namespace incipit {

// One power-of-two piece: `unit` counts kArenaUnitBytes from the start of the arena, bytes = unit size << order.
// Aligned to its size.
struct Extent {
  uint32_t unit = 0;
  uint8_t order = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};
inline constexpr uint64_t kArenaUnitBytes = 128;
inline constexpr int kMaxExtentOrder = 15;  // 4 MiB
using ExtentList = absl::InlinedVector<Extent, 4>;

}  // namespace incipit
