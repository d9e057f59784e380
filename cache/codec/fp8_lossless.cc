#include "cache/codec/fp8_lossless.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/codec/plane_coder.h"

namespace incipit::codec_internal {
namespace {

// One of the two planes: how it lies in the rows, and the kernel's functions for it.
struct PlaneOfRows {
  size_t at;        // in a row
  size_t channels;  // values of it in a row
  size_t value_bytes;
  size_t rest_bytes;  // of a row
  decltype(Kernel::split_bf16) split;
  decltype(Kernel::exponents_bf16) exponents;
  decltype(Kernel::merge_bf16) merge;

  size_t RowsOfTile() const { return kTileValues / channels; }
  size_t RowsOfPart() const { return kPartValues / channels; }
  TileShape ShapeAt(size_t row, size_t rows) const {
    const size_t count = std::min(rows - row, RowsOfTile());
    return {row * channels, count * channels, count * rest_bytes};
  }
};

PlaneOfRows LatentPlane(const Kernel& kernel) {
  return {0, kFp8RowValues, 1, kFp8RowValues / 2, kernel.split_e4m3, kernel.exponents_e4m3, kernel.merge_e4m3};
}
PlaneOfRows RopePlane(const Kernel& kernel) {
  return {kFp8RopeAt, kFp8RopeValues, 2, kFp8RopeValues, kernel.split_bf16, kernel.exponents_bf16, kernel.merge_bf16};
}

double FitPlane(const PlaneOfRows& plane, CodecLevel level, ByteView raw, PlaneModel* model,
                CodecScratch::Parts* scratch) {
  const auto read = [&](size_t first, size_t count, uint8_t* exponents) {
    const uint8_t* row = raw.data() + first / plane.channels * kFp8RowBytes + plane.at;
    plane.exponents(row + first % plane.channels * plane.value_bytes, count, exponents);
  };
  const size_t values = raw.size() / kFp8RowBytes * plane.channels;
  const auto fetch = [&](size_t first, size_t count) {
    FetchBytes(
        raw.data() + first / plane.channels * kFp8RowBytes + plane.at + first % plane.channels * plane.value_bytes,
        count * plane.value_bytes);
  };
  const Levels levels = level == CodecLevel::kFast ? Levels::kTwo : Levels::kThree;
  return model->Fit({values, static_cast<uint32_t>(plane.channels), read, fetch}, levels, *scratch->kernel,
                    &scratch->buffers);
}

size_t EncodePlane(const PlaneOfRows& plane, const PlaneModel& model, ByteView raw, MutableBytes out,
                   CodecScratch::Parts* scratch) {
  const size_t rows = raw.size() / kFp8RowBytes;
  size_t at = 0;
  TileEncoder encoder(model, *scratch->kernel, &scratch->buffers);
  for (size_t row = 0; row < rows; row += plane.RowsOfTile()) {
    const TileShape shape = plane.ShapeAt(row, rows);
    if (!encoder.Begin(shape, out.subspan(at))) return 0;
    const size_t tile_rows = shape.values / plane.channels;
    for (size_t part = 0; part < tile_rows; part += plane.RowsOfPart()) {
      const size_t part_rows = std::min(tile_rows - part, plane.RowsOfPart());
      for (size_t i = 0; i < part_rows; ++i) {
        plane.split(raw.data() + (row + part + i) * kFp8RowBytes + plane.at, plane.channels,
                    encoder.exponents() + i * plane.channels, encoder.rests() + (part + i) * plane.rest_bytes);
      }
      encoder.Add(part_rows * plane.channels,
                  reinterpret_cast<uintptr_t>(raw.data()) + (row + part + plane.RowsOfTile()) * kFp8RowBytes);
    }
    const size_t tile_bytes = encoder.Finish();
    if (tile_bytes == 0) return 0;
    at += tile_bytes;
  }
  return at;
}

absl::Status DecodePlane(const PlaneOfRows& plane, const PlaneModel& model, MutableBytes raw, ByteView* in,
                         CodecScratch::Parts* scratch) {
  const size_t rows = raw.size() / kFp8RowBytes;
  TileDecoder decoder(model, *scratch->kernel, &scratch->buffers);
  for (size_t row = 0; row < rows; row += plane.RowsOfTile()) {
    const TileShape shape = plane.ShapeAt(row, rows);
    ASSIGN_OR_RETURN(const size_t tile_bytes, decoder.Begin(shape, *in));
    const size_t tile_rows = shape.values / plane.channels;
    for (size_t part = 0; part < tile_rows; part += plane.RowsOfPart()) {
      const size_t part_rows = std::min(tile_rows - part, plane.RowsOfPart());
      decoder.Next(part_rows * plane.channels);
      for (size_t i = 0; i < part_rows; ++i) {
        plane.merge(scratch->buffers.exponents + i * plane.channels, decoder.rests() + (part + i) * plane.rest_bytes,
                    plane.channels, raw.data() + (row + part + i) * kFp8RowBytes + plane.at);
      }
    }
    RETURN_IF_ERROR(decoder.Finish());
    *in = in->subspan(tile_bytes);
  }
  return absl::OkStatus();
}

// A byte in front of each model says whether its bases are per channel (1) or one for all (0).
size_t EncodeModel(const PlaneModel& model, MutableBytes out) {
  const size_t bytes = model.EncodedBytes();
  if (out.size() < 1 + bytes) return 0;
  out[0] = model.channels() > 1 ? 1 : 0;
  model.Encode(out.subspan(1, bytes));
  return 1 + bytes;
}
absl::Status DecodeModel(size_t channels, ByteView* in, PlaneModel* model) {
  if (in->empty() || in->front() > 1) return absl::DataLossError("coded segment: no model of a plane, expected 0 or 1");
  size_t bytes = 0;
  RETURN_IF_ERROR(model->Decode(in->subspan(1), in->front() == 1 ? static_cast<uint32_t>(channels) : 1, &bytes));
  *in = in->subspan(1 + bytes);
  return absl::OkStatus();
}

}  // namespace

size_t EncodeFp8(CodecLevel level, ByteView raw, MutableBytes out, CodecScratch::Parts* scratch) {
  const PlaneOfRows latent = LatentPlane(*scratch->kernel), rope = RopePlane(*scratch->kernel);
  const size_t rows = raw.size() / kFp8RowBytes;
  const double latent_bits = 4 + FitPlane(latent, level, raw, &scratch->model, scratch);
  const double rope_bits = 8 + FitPlane(rope, level, raw, &scratch->second_model, scratch);
  const double bits = latent_bits * kFp8RowValues + 8 * kFp8ScaleBytes + rope_bits * kFp8RopeValues;
  if (bits * kMinCodedRatio > 8 * kFp8RowBytes) return 0;
  size_t at = 0;
  for (const PlaneModel* model : {&scratch->model, &scratch->second_model}) {
    const size_t bytes = EncodeModel(*model, out.subspan(at));
    if (bytes == 0) return 0;
    at += bytes;
  }
  if (out.size() - at < rows * kFp8ScaleBytes) return 0;
  for (size_t row = 0; row < rows; ++row, at += kFp8ScaleBytes) {
    std::memcpy(out.data() + at, raw.data() + row * kFp8RowBytes + kFp8ScalesAt, kFp8ScaleBytes);
  }
  const size_t latent_bytes = EncodePlane(latent, scratch->model, raw, out.subspan(at), scratch);
  if (latent_bytes == 0) return 0;
  at += latent_bytes;
  const size_t rope_bytes = EncodePlane(rope, scratch->second_model, raw, out.subspan(at), scratch);
  return rope_bytes == 0 ? 0 : at + rope_bytes;
}

absl::Status DecodeFp8(ByteView in, MutableBytes raw, CodecScratch::Parts* scratch) {
  const size_t rows = raw.size() / kFp8RowBytes;
  RETURN_IF_ERROR(DecodeModel(kFp8RowValues, &in, &scratch->model));
  RETURN_IF_ERROR(DecodeModel(kFp8RopeValues, &in, &scratch->second_model));
  if (in.size() < rows * kFp8ScaleBytes) {
    return absl::DataLossError(
        absl::StrCat("coded segment: ", in.size(), " bytes of scales, expected ", rows * kFp8ScaleBytes));
  }
  for (size_t row = 0; row < rows; ++row) {
    std::memcpy(raw.data() + row * kFp8RowBytes + kFp8ScalesAt, in.data() + row * kFp8ScaleBytes, kFp8ScaleBytes);
  }
  in = in.subspan(rows * kFp8ScaleBytes);
  RETURN_IF_ERROR(DecodePlane(LatentPlane(*scratch->kernel), scratch->model, raw, &in, scratch));
  RETURN_IF_ERROR(DecodePlane(RopePlane(*scratch->kernel), scratch->second_model, raw, &in, scratch));
  scratch->kernel->fence();
  if (in.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("coded segment: ", in.size(), " bytes behind the last tile, expected 0"));
}

}  // namespace incipit::codec_internal
