// Ids that must not mix with plain integers or each other.
#pragma once

#include <cstdint>
#include <limits>

namespace incipit {

// Slot of a block in its shard's entry table. Dense, reused after removal; meaningful inside one shard only.
using BlockId = uint32_t;
inline constexpr BlockId kNoBlock = std::numeric_limits<BlockId>::max();

// Index of a group within its layout.
using GroupIndex = uint16_t;

// Named limits of formats. Every decoder checks against them.
inline constexpr uint32_t kMaxKeyBytes = 64;
inline constexpr uint32_t kMaxNameBytes = 128;             // tenant, model and layout names
inline constexpr uint64_t kMaxPayloadBytes = 64ull << 20;  // one block record's payload before its codec
inline constexpr uint32_t kMaxSegments = 1024;             // segments in one record
// What a codec may add to a segment, so that a block of the largest payload can be stored whatever its codec.
inline constexpr uint32_t kMaxSegmentOverheadBytes = 64;
inline constexpr uint64_t kMaxStoredBytes = kMaxPayloadBytes + kMaxSegments * kMaxSegmentOverheadBytes;
inline constexpr uint32_t kMaxGroups = 16;  // groups in one layout

}  // namespace incipit
