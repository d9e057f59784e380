// What a client and a shard say about memory that they share (docs/wire_format.md, "Shared regions"). As in messages.h:
// Decode takes untrusted bytes; Encode writes what it is given.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::wire {

// In Hello and HelloReply: both ends can pass memory, and the lane can pass descriptors.
inline constexpr uint64_t kFeatureSharedRegions = 1u << 2;
inline constexpr uint32_t kMaxRegionRefs = 256 * 1024;  // in one message
inline constexpr size_t kRegionRefBytes = 16;
inline constexpr uint64_t kMaxRegionBytes = 1ull << 40;

enum class RegionKind : uint8_t {
  kMemory = 0,  // one descriptor: the memory
  kControl =
      1,  // two: the page of control words, and the writing end of a pipe that the shard holds as long as it maps
};

// Gives a region of the client's memory a number on this connection. Descriptors come with its first byte.
struct RegisterRegion {
  uint32_t region_id = 0;
  RegionKind kind = RegionKind::kMemory;
  uint64_t bytes = 0;  // 1 to kMaxRegionBytes; exactly what the descriptor holds
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<RegisterRegion> Decode(ByteView meta);
};

struct ForgetRegion {
  uint32_t region_id = 0;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<ForgetRegion> Decode(ByteView meta);
};

// One piece of a region. Not checked against the region's size here: the shard knows that.
struct RegionRef {
  uint32_t region_id = 0;
  uint32_t bytes = 0;
  uint64_t offset = 0;
  friend bool operator==(const RegionRef&, const RegionRef&) = default;
};

// Stands in front of the meta of a Load or Store that is flagged shared.
struct SharedPlaces {
  uint32_t slot = 0;              // control word of a load; 0 in a store, which needs none
  std::vector<RegionRef> pieces;  // where the payload goes or comes from, in its order
  void Encode(std::vector<uint8_t>* out) const;
  // Reads them from the front of `meta`; `*rest` becomes what follows.
  static absl::StatusOr<SharedPlaces> Decode(ByteView meta, ByteView* rest);
  uint64_t Bytes() const;
};

}  // namespace incipit::wire
