// Who a block is: (namespace, group, part, key), and its one canonical byte form ("framed identity"), which is stored
// in each record, compared on every hit, and hashed for index and placement. docs/disk_format.md gives the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/base/check.h"
#include "cache/base/types.h"
#include "cache/base/xxh3.h"
#include "cache/format/layout.h"

namespace incipit {

// Tenant, model and layout. Blocks of different namespaces never meet.
struct NamespaceIdentity {
  std::string tenant;  // from the session's credentials, never from a message; at most kMaxNameBytes
  std::string model;   // chosen by the engine, at most kMaxNameBytes
  LayoutFingerprint layout_fingerprint{};
  friend bool operator==(const NamespaceIdentity&, const NamespaceIdentity&) = default;
};

// Opaque key bytes of the engine, 1 to kMaxKeyBytes of them, never truncated. Held inline: no allocation.
class BlockKey {
 public:
  BlockKey() = default;
  // REQUIRES: 1 <= bytes.size() <= kMaxKeyBytes (checked; aborts). Validate untrusted lengths first.
  explicit BlockKey(ByteView bytes) {
    INCIPIT_CHECK(!bytes.empty() && bytes.size() <= kMaxKeyBytes, "a key has 1 to 64 bytes");
    size_ = static_cast<uint8_t>(bytes.size());
    std::memcpy(bytes_.data(), bytes.data(), bytes.size());
  }
  ByteView bytes() const { return {bytes_.data(), size_}; }
  size_t size() const { return size_; }
  friend bool operator==(const BlockKey& a, const BlockKey& b) {
    return a.size_ == b.size_ && std::memcmp(a.bytes_.data(), b.bytes_.data(), a.size_) == 0;
  }

 private:
  uint8_t size_ = 0;
  std::array<uint8_t, kMaxKeyBytes> bytes_{};
};

struct BlockIdentity {
  NamespaceIdentity name_space;
  GroupIndex group = 0;
  uint16_t part = 0;
  BlockKey key;
  friend bool operator==(const BlockIdentity&, const BlockIdentity&) = default;
};

// First two bytes of every framed identity. Change the framing => raise the version, bump kRecordVersion and
// kRegionFormatVersion, and add a golden file: identities of two versions must never compare or hash as equal.
inline constexpr uint8_t kIdentityDomain = 'I';
inline constexpr uint8_t kIdentityVersion = 1;

inline constexpr size_t kMaxFramedNamespaceBytes = 2 + 2 * (2 + kMaxNameBytes) + sizeof(LayoutFingerprint);
inline constexpr size_t kFramedBlockFieldsBytes = 2 + 2 + 1;  // group, part, key length
inline constexpr size_t kMaxFramedIdentityBytes = 512;
static_assert(kMaxFramedNamespaceBytes + kFramedBlockFieldsBytes + kMaxKeyBytes <= kMaxFramedIdentityBytes);
static_assert(kMaxKeyBytes <= UINT8_MAX && kMaxNameBytes <= UINT16_MAX);

// The namespace's part of a framed identity: constant for all blocks of a namespace, so it is made once.
// REQUIRES: names of at most kMaxNameBytes (checked; aborts). Validate untrusted lengths first.
std::vector<uint8_t> FrameNamespace(const NamespaceIdentity& name_space);

// Framed identity of one block = framed namespace, then group, part, key length and key. Writes into `out`, gives
// the view written. REQUIRES: framed_namespace from FrameNamespace, 1..kMaxKeyBytes of key (checked; aborts), group
// under kMaxGroups, part under kMaxSegments. No allocation: two short copies.
ByteView FrameIdentity(ByteView framed_namespace, GroupIndex group, uint16_t part, ByteView key,
                       std::array<uint8_t, kMaxFramedIdentityBytes>* out);

// The fields of a framed identity, where they lie. Views into the framed bytes, which must outlive them.
struct IdentityView {
  std::string_view tenant;
  std::string_view model;
  ByteView layout_fingerprint;
  GroupIndex group = 0;
  uint16_t part = 0;
  ByteView key;
};

// Takes a framed identity from untrusted bytes apart without allocating; InvalidArgument on anything malformed, over a
// limit or with bytes left over.
absl::StatusOr<IdentityView> ViewIdentity(ByteView framed);

// The same, as values.
absl::StatusOr<BlockIdentity> ParseIdentity(ByteView framed);

// Hash of a framed identity for a node's index (a secret of the process) and for placement (a secret of the cluster,
// which its clients learn). A collision costs a miss, never a wrong answer.
inline Hash128 IdentityHash(ByteView framed, const HashSecret& secret) { return Xxh3Of128(framed, secret); }

// Derives XXH3 key material from a short seed: blocks of SHA-256(tag || seed || counter), docs/disk_format.md.
HashSecret ExpandHashSecret(ByteView seed);

}  // namespace incipit
