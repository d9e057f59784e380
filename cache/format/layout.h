// What one model's KV cache looks like to the tier: groups of layers, the size of a block of each group, and which
// blocks must be present before a prefix can be restored. docs/disk_format.md has the canonical encoding.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/base/types.h"

namespace incipit {

inline constexpr uint32_t kLayoutMagic = 0x4c434e49;  // "INCL" in file order
inline constexpr uint16_t kLayoutVersion = 1;         // change the encoding => bump this and add a golden file

// Named limits of one group. They are chosen so that no product of them overflows 64 bits.
inline constexpr uint32_t kMaxBlockTokens = 1u << 20;
inline constexpr uint32_t kMaxWindowTokens = 1u << 24;
inline constexpr uint32_t kMaxLayers = kMaxSegments;
inline constexpr uint32_t kMaxLayerAlignBytes = 1u << 20;
inline constexpr uint64_t kMaxBlockBytes = 1ull << 30;  // one block of one group, all its parts
inline constexpr uint64_t kMaxRestoreStepTokens = 1ull << 24;

// Which blocks of a group a restore at token L needs.
enum class HitRule : uint8_t {
  kAll = 0,         // every block of [0, L): MLA latent, indexer
  kWindow = 1,      // the blocks that cover [L - window_tokens, L): sliding window
  kCheckpoint = 2,  // one block, the state at exactly L: KDA, GDN, compressor state
};

// One group. A block of it covers `block_tokens` tokens in all of its `layers`.
//   entries per block and layer = block_tokens / tokens_per_entry (one entry for kCheckpoint)
//   bytes per layer             = entries * bytes_per_entry, rounded up to a multiple of layer_align_bytes
//   bytes of the whole block    = layers * bytes per layer, cut into `segments` equal pieces
// For kCheckpoint block_tokens is the step at which a state may be kept, not what it covers.
//
// The computed members below REQUIRE a group of a layout whose Validate() is ok.
struct GroupSpec {
  std::string name;  // 1 to kMaxNameBytes of printable ASCII, unique in its layout
  HitRule rule = HitRule::kAll;
  uint32_t window_tokens = 0;  // kWindow only, else 0
  uint32_t block_tokens = 64;
  uint32_t layers = 1;
  uint32_t tokens_per_entry = 1;  // divides block_tokens; 1 for kCheckpoint, where it means nothing
  uint32_t bytes_per_entry = 0;
  uint32_t layer_align_bytes = 1;  // any number, not only powers of two: 576 for V4 pages
  uint32_t segments = 0;           // 0 means one per layer; divides the bytes of the block; at most kMaxSegments

  uint32_t SegmentCount() const { return segments == 0 ? layers : segments; }
  uint64_t LayerBytes() const;
  uint64_t BlockBytes() const { return LayerBytes() * layers; }
  uint64_t SegmentBytes() const { return BlockBytes() / SegmentCount(); }
  // A block over kMaxPayloadBytes travels as numbered parts, each a whole number of segments: as many as fit.
  uint32_t SegmentsPerPart() const;
  uint32_t PartCount() const;
  // Segments of part `part`; the last part may have fewer. 0 past the last part.
  uint32_t SegmentsOfPart(uint32_t part) const;

  friend bool operator==(const GroupSpec&, const GroupSpec&) = default;
};

using LayoutFingerprint = std::array<uint8_t, 32>;

// Immutable once validated. Safe to share between threads.
struct Layout {
  std::string name;  // informative, but part of the fingerprint; 1 to kMaxNameBytes of printable ASCII
  std::vector<GroupSpec> groups;

  // InvalidArgument naming the group, the field, what was found and what is allowed.
  absl::Status Validate() const;
  // Canonical bytes: two layouts are the same exactly if these are. `segments` equal to `layers` is written as 0,
  // because both say one per layer. REQUIRES: Validate().ok().
  std::vector<uint8_t> Encode() const;
  // Decodes and validates untrusted bytes. InvalidArgument on anything but a canonical encoding; FailedPrecondition
  // on a version this build does not know.
  static absl::StatusOr<Layout> Decode(ByteView bytes);
  // SHA-256 of Encode().
  LayoutFingerprint Fingerprint() const;
  // Tokens between two lengths at which all groups can be restored: the least common multiple of block_tokens, at
  // most kMaxRestoreStepTokens.
  uint64_t RestoreStepTokens() const;
  // Bytes of KV cache per token, over the groups that grow with the context (kAll).
  double BytesPerToken() const;

  friend bool operator==(const Layout&, const Layout&) = default;
};

}  // namespace incipit
