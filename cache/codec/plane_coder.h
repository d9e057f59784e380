// Tiles: exponents of up to kTileValues values coded against a model, together with their rests.
// docs/coded_segments.md has the fields. Pure functions over caller-owned memory; no allocation.
#pragma once

#include "absl/status/statusor.h"
#include "cache/codec/plane_model.h"

namespace incipit::codec_internal {

inline constexpr size_t kTileHeaderBytes = 8;
inline constexpr size_t kExceptionBytes = 3;

// Sizes of a tile: how many values, and how many bytes of rests.
struct TileShape {
  size_t first;  // of the tile's values in its plane
  size_t values;
  size_t rest_bytes;
};

// Codes one tile, part by part, straight into place; packed planes and exceptions wait in the buffers until the end.
class TileEncoder {
 public:
  // REQUIRES: all outlive it.
  TileEncoder(const PlaneModel& model, const Kernel& kernel, TileBuffers* buffers)
      : model_(model), kernel_(kernel), buffers_(buffers) {}
  // False: the tile surely does not fit into `out`.
  bool Begin(const TileShape& shape, MutableBytes out);
  // Where the tile's rests go, and the exponents of its next part.
  uint8_t* rests() const { return rests_; }
  uint8_t* exponents() const { return buffers_->exponents + state_.values; }
  // Codes the next part of the tile. `ahead`: where the caller reads soon; it need not exist.
  void Add(size_t values, uintptr_t ahead);
  // The same with values from where they lie; their rests are put in place. REQUIRES: whole groups.
  void AddBf16(const uint8_t* raw, size_t values, uintptr_t ahead);
  // Returns bytes written to `out`; 0: they do not fit, and what it holds is arbitrary.
  size_t Finish();

 private:
  EncodePart PartOf(size_t values, uintptr_t ahead) const;
  size_t ListExceptions() const;
  const PlaneModel& model_;
  const Kernel& kernel_;
  TileBuffers* buffers_;
  TileShape shape_{};
  MutableBytes out_;
  uint8_t* rests_ = nullptr;
  PackState state_;
};

// Decodes one tile of untrusted bytes, part by part. Reads nothing outside them.
class TileDecoder {
 public:
  // REQUIRES: all outlive it.
  TileDecoder(const PlaneModel& model, const Kernel& kernel, TileBuffers* buffers)
      : model_(model), kernel_(kernel), buffers_(buffers) {}
  // Gives the tile's length; what it starts must be ended by Finish(), whatever comes in between. DataLoss: cut short,
  // counts that contradict each other, or an exception that is not in the tile; nothing was started then.
  absl::StatusOr<size_t> Begin(const TileShape& shape, ByteView in);
  const uint8_t* rests() const { return rests_; }
  // Decodes the next part into buffers->exponents.
  void Next(size_t values);
  // Decodes it to where the values belong. REQUIRES: whole groups.
  void NextBf16(size_t values, uint8_t* raw);
  // DataLoss: the planes were not what the tile's counts say, so what was decoded means nothing.
  absl::Status Finish();

 private:
  absl::Status PatchExceptions();
  DecodePart PartOf(size_t values) const;
  void Advance(size_t values);
  const PlaneModel& model_;
  const Kernel& kernel_;
  TileBuffers* buffers_;
  TileShape shape_{};
  const uint8_t* rests_ = nullptr;
  // As the header says.
  struct Counts {
    uint32_t level2 = 0, level3 = 0, exceptions = 0;
  } counts_;
  UnpackState state_;
  TilePlanes planes_{};
  ByteView exceptions_;
  size_t next_value_ = 0;
  uintptr_t ahead_ = 0;
};

}  // namespace incipit::codec_internal
