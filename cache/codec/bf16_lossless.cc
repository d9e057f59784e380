#include "cache/codec/bf16_lossless.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/codec/plane_coder.h"

namespace incipit::codec_internal {
namespace {

constexpr double kRestBits = 8;      // of each value: sign and mantissa
constexpr size_t kBlockValues = 32;  // what kernels split and merge at once
constexpr size_t kBlockBytes = 2 * kBlockValues;

// Values of the plane: whole blocks.
size_t PlaneValues(size_t raw_bytes) { return AlignUp(raw_bytes / 2, kBlockValues); }

TileShape ShapeAt(size_t first, size_t plane_values) {
  const size_t count = std::min(plane_values - first, kTileValues);
  return {first, count, count};
}

// How many of `count` values from `first` are whole groups of which every value exists: these are coded where they lie.
size_t WholeGroups(size_t raw_bytes, size_t first, size_t count) {
  return std::min(count, raw_bytes / 2 - first) / kGroupValues * kGroupValues;
}

// The last block of `raw`, filled up with its first value, in `block`; the whole blocks before it are split in place.
void SplitPart(const Kernel& kernel, ByteView raw, size_t first, size_t count, uint8_t* exponents, uint8_t* rests) {
  const size_t whole = std::min(count, (raw.size() / 2 - first) / kBlockValues * kBlockValues);
  kernel.split_bf16(raw.data() + 2 * first, whole, exponents, rests);
  if (whole == count) return;
  const ByteView tail = raw.subspan(2 * (first + whole), (raw.size() / 2 - first - whole) * 2);
  uint8_t block[kBlockBytes];
  for (size_t i = 0; i < kBlockBytes; ++i) block[i] = tail[i < tail.size() ? i : i % 2];
  kernel.split_bf16(block, kBlockValues, exponents + whole, rests + whole);
}

void MergePart(const Kernel& kernel, const uint8_t* exponents, const uint8_t* rests, size_t first, size_t count,
               MutableBytes raw) {
  const size_t whole = std::min(count, (raw.size() / 2 - first) / kBlockValues * kBlockValues);
  kernel.merge_bf16(exponents, rests, whole, raw.data() + 2 * first);
  if (whole == count) return;
  alignas(64) uint8_t block[kBlockBytes];
  kernel.merge_bf16(exponents + whole, rests + whole, kBlockValues, block);
  kernel.fence();
  std::memcpy(raw.data() + 2 * (first + whole), block, (raw.size() / 2 - first - whole) * 2);
}

}  // namespace

size_t EncodeBf16(const CodecOptions& options, ByteView raw, MutableBytes out, uint32_t* channels,
                  CodecScratch::Parts* scratch) {
  const Kernel& kernel = *scratch->kernel;
  TileBuffers* const buffers = &scratch->buffers;
  const auto read = [&](size_t first, size_t count, uint8_t* exponents) {
    kernel.exponents_bf16(raw.data() + 2 * first, count, exponents);
  };
  const auto fetch = [&](size_t first, size_t count) { FetchBytes(raw.data() + 2 * first, 2 * count); };
  const PlaneSource source{raw.size() / kBlockBytes * kBlockValues, options.row_values, read, fetch};
  const Levels levels = options.level == CodecLevel::kFast ? Levels::kTwo : Levels::kThree;
  const double bits = scratch->model.Fit(source, levels, kernel, buffers);
  if ((kRestBits + bits) * kMinCodedRatio > 16) return 0;
  *channels = scratch->model.channels();
  size_t at = scratch->model.EncodedBytes();
  if (out.size() < at) return 0;
  scratch->model.Encode(out.first(at));
  const size_t values = PlaneValues(raw.size());
  TileEncoder encoder(scratch->model, kernel, buffers);
  for (size_t first = 0; first < values; first += kTileValues) {
    const TileShape shape = ShapeAt(first, values);
    if (!encoder.Begin(shape, out.subspan(at))) return 0;
    const size_t whole = WholeGroups(raw.size(), first, shape.values);
    const auto ahead = reinterpret_cast<uintptr_t>(raw.data()) + 2 * (first + kTileValues);
    if (whole > 0) encoder.AddBf16(raw.data() + 2 * first, whole, ahead);
    if (whole < shape.values) {
      SplitPart(kernel, raw, first + whole, shape.values - whole, encoder.exponents(), encoder.rests() + whole);
      encoder.Add(shape.values - whole, ahead + 2 * whole);
    }
    const size_t tile_bytes = encoder.Finish();
    if (tile_bytes == 0) return 0;
    at += tile_bytes;
  }
  if (raw.size() % 2 == 0) return at;
  if (out.size() <= at) return 0;
  out[at] = raw.back();
  return at + 1;
}

absl::Status DecodeBf16(uint32_t channels, ByteView in, MutableBytes raw, CodecScratch::Parts* scratch) {
  const Kernel& kernel = *scratch->kernel;
  size_t model_bytes = 0;
  RETURN_IF_ERROR(scratch->model.Decode(in, channels, &model_bytes));
  in = in.subspan(model_bytes);
  const size_t values = PlaneValues(raw.size());
  TileDecoder decoder(scratch->model, kernel, &scratch->buffers);
  for (size_t first = 0; first < values; first += kTileValues) {
    const TileShape shape = ShapeAt(first, values);
    ASSIGN_OR_RETURN(const size_t tile_bytes, decoder.Begin(shape, in));
    const size_t whole = WholeGroups(raw.size(), first, shape.values), left = shape.values - whole;
    if (whole > 0) decoder.NextBf16(whole, raw.data() + 2 * first);
    if (left > 0) {
      decoder.Next(left);
      MergePart(kernel, scratch->buffers.exponents, decoder.rests() + whole, first + whole, left, raw);
    }
    RETURN_IF_ERROR(decoder.Finish());
    in = in.subspan(tile_bytes);
  }
  kernel.fence();
  const size_t odd = raw.size() % 2;
  if (in.size() != odd) {
    return absl::DataLossError(
        absl::StrCat("coded segment: ", in.size(), " bytes behind the last tile, expected ", odd));
  }
  if (odd == 1) raw.back() = in[0];
  return absl::OkStatus();
}

}  // namespace incipit::codec_internal
