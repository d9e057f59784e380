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
  // Where the tile's rests go.
  uint8_t* rests() const { return rests_; }
  // Codes the next part of the tile, buffers->exponents. `ahead`: where the caller reads soon; it need not exist.
  void Add(size_t values, uintptr_t ahead);
  // Returns bytes written to `out`; 0: they do not fit, and what it holds is arbitrary.
  size_t Finish();

 private:
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
  // Gives the tile's length. DataLoss: cut short, or counts that contradict each other.
  absl::StatusOr<size_t> Begin(const TileShape& shape, ByteView in);
  const uint8_t* rests() const { return rests_; }
  // Decodes the next part into buffers->exponents.
  void Next(size_t values);
  // DataLoss: the planes were not what the tile's counts say, so what was decoded means nothing.
  absl::Status Finish() const;

 private:
  const PlaneModel& model_;
  const Kernel& kernel_;
  TileBuffers* buffers_;
  TileShape shape_{};
  const uint8_t* rests_ = nullptr;
  PackState counts_;  // as the header says
  UnpackState state_;
  TilePlanes planes_{};
  ByteView exceptions_;
  size_t next_exception_ = 0;
  size_t next_value_ = 0;
  uintptr_t ahead_ = 0;
};

}  // namespace incipit::codec_internal
