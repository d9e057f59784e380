// Sealed segments: encrypted and authenticated by the client, tied to their place. The form is in docs/disk_format.md,
// the reasons in docs/decisions/008-sealed-blocks.md.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cache/format/layout.h"
#include "client/src/codec/segment_codec.h"
#include "client/src/codec/xaes_gcm.h"
#include "incipit/sealing_key.h"

namespace incipit {

// The layout under which blocks sealed with `key` are kept: another name, so another namespace.
Layout SealedLayout(const Layout& layout, const SealingKey& key);

// One thread at a time. One pass over the bytes in each direction; beyond AES-256-GCM some tenths of a microsecond a
// segment for its nonce and the additional data.
class SealedCodec : public SegmentCodec {
 public:
  // Fills its argument with unpredictable bytes; false if there are none.
  using FillRandom = bool (*)(MutableBytes);
  static constexpr uint32_t kSegmentsPerPrefix = 1024;
  static constexpr uint32_t kSuffixesPerDraw = 32;  // asking for random bytes costs about a microsecond, however few

  // `framed_namespace`: that of the sealed layout. `fill_random` is for tests.
  SealedCodec(const SealingKey& key, ByteView framed_namespace, FillRandom fill_random = &RandomOfSystem);

  Codec id() const override { return Codec::kSealed; }
  uint64_t MaxStoredBytes(uint64_t raw_bytes) const override { return StoredRangeOf(Codec::kSealed, raw_bytes).most; }
  uint64_t Encode(const SegmentPlace& place, std::span<const iovec> raw, MutableBytes stored) override;
  bool Decode(const SegmentPlace& place, ByteView stored, std::span<const iovec> raw) override;

  // The same of what a coder made of a segment of `raw_bytes`: `plain` becomes, or is filled from, kSealedOverheadBytes
  // more. It opens under the codec and with the raw length that it was sealed with, and no other. REQUIRES:
  // IsSealed(codec); with kSealed, plain has raw_bytes.
  uint64_t Seal(Codec codec, const SegmentPlace& place, uint64_t raw_bytes, std::span<const iovec> plain,
                MutableBytes stored);
  [[nodiscard]] bool Open(Codec codec, const SegmentPlace& place, uint64_t raw_bytes, ByteView stored,
                          std::span<const iovec> plain);

 private:
  static constexpr size_t kPlaceBytes = 2 + 4 + 1 + 1;
  static bool RandomOfSystem(MutableBytes out);
  // The additional data of a segment.
  ByteView DataOf(Codec codec, const SegmentPlace& place, uint64_t raw_bytes);
  bool DrawNonce(std::span<uint8_t, XaesGcm::kNonceBytes> nonce);

  XaesGcm cipher_;
  FillRandom fill_random_;
  std::array<uint8_t, XaesGcm::kPrefixBytes> prefix_{};
  uint32_t left_of_prefix_ = 0;
  std::array<uint8_t, kSuffixesPerDraw*(XaesGcm::kNonceBytes - XaesGcm::kPrefixBytes)> suffixes_{};
  uint32_t left_of_suffixes_ = 0;
  uint64_t forks_ = 0;  // of this process when they were drawn
  std::array<uint8_t, kMaxFramedIdentityBytes + kPlaceBytes> data_{};
};

}  // namespace incipit
