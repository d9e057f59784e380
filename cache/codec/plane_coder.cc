#include "cache/codec/plane_coder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <span>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit::codec_internal {
namespace {

// Fields of a tile's header.
constexpr size_t kLevel2At = 0, kLevel3At = 2, kExceptionsAt = 4, kReservedAt = 6;

uint16_t Field(ByteView bytes, size_t at) { return static_cast<uint16_t>(bytes[at] | bytes[at + 1] << 8); }
void PutField(MutableBytes bytes, size_t at, size_t value) {
  bytes[at] = static_cast<uint8_t>(value);
  bytes[at + 1] = static_cast<uint8_t>(value >> 8);
}

// Bytes of the packed planes.
struct PackedSizes {
  PackedSizes(Levels levels, uint32_t level2_values, uint32_t level3_values) {
    const size_t level2 = (level2_values + 7) / 8, level3 = (level3_values + 7) / 8;
    bytes = {level2, level2, levels == Levels::kTwo ? level2 : level3, level3, level3};
  }
  size_t total() const { return std::accumulate(bytes.begin(), bytes.end(), size_t{0}); }
  std::array<size_t, kPackedPlanes> bytes;
};

absl::Status Damaged(std::string_view field, uint64_t found, uint64_t at_most) {
  return absl::DataLossError(
      absl::StrCat("coded segment: a tile's ", std::string(field), " is ", found, ", expected at most ", at_most));
}

// Packed planes of which the kernel may read kReadSlack: in place, or, at the segment's end, in a copy.
TilePlanes PlacePlanes(const uint8_t* level1, size_t plane_bytes, ByteView behind, const PackedSizes& sizes,
                       TileBuffers* buffers) {
  TilePlanes planes{{level1, level1 + plane_bytes}, {}};
  const bool in_place = behind.size() >= sizes.total() + kReadSlack;
  size_t at = 0;
  for (size_t i = 0; i < kPackedPlanes; at += sizes.bytes[i++]) {
    planes.packed[i] = behind.data() + at;
    if (in_place) continue;
    uint8_t* const copy = buffers->packed[i];
    std::memcpy(copy, behind.data() + at, sizes.bytes[i]);
    std::memset(copy + sizes.bytes[i], 0, kReadSlack);
    planes.packed[i] = copy;
  }
  return planes;
}

}  // namespace

bool TileEncoder::Begin(const TileShape& shape, MutableBytes out) {
  INCIPIT_CHECK(shape.values > 0 && shape.values <= kTileValues, "a tile has 1 to kTileValues values");
  const size_t rests_at = kTileHeaderBytes + 2 * PlaneBytesOf(shape.values);
  if (out.size() < rests_at + shape.rest_bytes) return false;
  shape_ = shape;
  out_ = out;
  rests_ = out.data() + rests_at;
  state_ = {};
  return true;
}

EncodePart TileEncoder::PartOf(size_t values, uintptr_t ahead) const {
  uint8_t* const level1 = out_.data() + kTileHeaderBytes + state_.values / 8;
  return {.levels = model_.levels(),
          .bases = model_.BasesAt(shape_.first + state_.values),
          .values = values,
          .table = &model_.encode_table(),
          .level1 = {level1, level1 + PlaneBytesOf(shape_.values)},
          .ahead = ahead};
}

void TileEncoder::Add(size_t values, uintptr_t ahead) { kernel_.encode_part(PartOf(values, ahead), &state_, buffers_); }

void TileEncoder::AddBf16(const uint8_t* raw, size_t values, uintptr_t ahead) {
  kernel_.encode_bf16(PartOf(values, ahead), raw, rests_ + state_.values, &state_, buffers_);
}

// Puts places into buffers->exception_places and gives their number.
size_t TileEncoder::ListExceptions() const {
  uint16_t* at = buffers_->exception_places;
  for (const ExceptionGroup& group : std::span(buffers_->exception_groups, state_.exception_groups)) {
    for (size_t i = 0; i < kGroupWords; ++i) {
      const size_t first = IndexOf(group.group * kGroupWords + i, 0);
      const auto index = [first](uint64_t bits) {
        const auto bit = static_cast<unsigned>(std::countr_zero(bits));
        return static_cast<uint16_t>(first + bit % 8 * 32 + bit / 8);
      };
      uint64_t bits = group.bits[i];
      // Hardly ever are there two in a word, and whether there is one is not to be guessed.
      *at = index(bits | uint64_t{1} << 63);
      at += bits != 0 ? 1 : 0;
      bits &= bits - 1;
      for (; bits != 0; bits &= bits - 1) [[unlikely]]* at++ = index(bits);
    }
  }
  return static_cast<size_t>(at - buffers_->exception_places);
}

size_t TileEncoder::Finish() {
  INCIPIT_CHECK(state_.values == shape_.values, "a tile was coded to its end");
  kernel_.finish_planes(model_.levels(), state_, buffers_);
  const PackedSizes sizes(model_.levels(), state_.level2, state_.level3);
  const size_t packed_at = kTileHeaderBytes + 2 * PlaneBytesOf(shape_.values) + shape_.rest_bytes;
  const size_t exceptions_at = packed_at + sizes.total();
  if (out_.size() < exceptions_at) return 0;
  const size_t exceptions = ListExceptions();
  const size_t tile_bytes = exceptions_at + kExceptionBytes * exceptions;
  if (out_.size() < tile_bytes) return 0;
  PutField(out_, kLevel2At, state_.level2);
  PutField(out_, kLevel3At, state_.level3);
  PutField(out_, kExceptionsAt, exceptions);
  PutField(out_, kReservedAt, 0);
  uint8_t* at = out_.data() + packed_at;
  for (size_t i = 0; i < kPackedPlanes; at += sizes.bytes[i++]) std::memcpy(at, buffers_->packed[i], sizes.bytes[i]);
  std::memcpy(at, buffers_->exception_places, 2 * exceptions);
  at += 2 * exceptions;
  for (size_t i = 0; i < exceptions; ++i) at[i] = buffers_->exponents[buffers_->exception_places[i]];
  return tile_bytes;
}

absl::StatusOr<size_t> TileDecoder::Begin(const TileShape& shape, ByteView in) {
  INCIPIT_CHECK(shape.values > 0 && shape.values <= kTileValues, "a tile has 1 to kTileValues values");
  const size_t plane_bytes = PlaneBytesOf(shape.values);
  const size_t rests_at = kTileHeaderBytes + 2 * plane_bytes, packed_at = rests_at + shape.rest_bytes;
  if (in.size() < packed_at) return Damaged("least length", packed_at, in.size());
  shape_ = shape;
  counts_ = {Field(in, kLevel2At), Field(in, kLevel3At), Field(in, kExceptionsAt)};
  const bool two = model_.levels() == Levels::kTwo;
  if (counts_.level2 > shape.values) return Damaged("count of values at level 2", counts_.level2, shape.values);
  const uint32_t most = two ? 0 : counts_.level2;
  if (counts_.level3 > most) return Damaged("count of values at level 3", counts_.level3, most);
  const uint32_t last = two ? counts_.level2 : counts_.level3;
  if (counts_.exceptions > last) return Damaged("count of exceptions", counts_.exceptions, last);
  if (Field(in, kReservedAt) != 0) return Damaged("reserved field", Field(in, kReservedAt), 0);
  const PackedSizes sizes(model_.levels(), counts_.level2, counts_.level3);
  const size_t exceptions_at = packed_at + sizes.total();
  const size_t tile_bytes = exceptions_at + kExceptionBytes * counts_.exceptions;
  if (in.size() < tile_bytes) return Damaged("length", tile_bytes, in.size());
  rests_ = in.data() + rests_at;
  exceptions_ = in.subspan(exceptions_at, kExceptionBytes * counts_.exceptions);
  planes_ = PlacePlanes(in.data() + kTileHeaderBytes, plane_bytes, in.subspan(packed_at), sizes, buffers_);
  ahead_ = reinterpret_cast<uintptr_t>(in.data()) + tile_bytes;  // the next tile
  state_ = {};
  next_value_ = 0;
  if (absl::Status patched = PatchExceptions(); !patched.ok()) return patched;
  return tile_bytes;
}

// So that decoding need not look for exceptions among the values.
absl::Status TileDecoder::PatchExceptions() {
  const size_t count = counts_.exceptions;
  const uint8_t* const exponents = exceptions_.data() + 2 * count;
  const uint8_t* const bases = model_.BasesAt(shape_.first);
  size_t greatest = 0;
  for (size_t i = 0; i < count; ++i) greatest = std::max<size_t>(greatest, Field(exceptions_, 2 * i));
  if (greatest >= shape_.values) return Damaged("place of an exception", greatest, shape_.values - 1);
  for (size_t i = 0; i < count; ++i) {
    const size_t place = Field(exceptions_, 2 * i);
    buffers_->patches[place] = bases[place] ^ exponents[i];
  }
  return absl::OkStatus();
}

DecodePart TileDecoder::PartOf(size_t values) const {
  return {.levels = model_.levels(),
          .bases = model_.BasesAt(shape_.first + next_value_),
          .values = values,
          .table = &model_.decode_table(),
          .planes = planes_,
          .patches = buffers_->patches + next_value_,
          .ahead = ahead_};
}

void TileDecoder::Advance(size_t values) {
  for (const uint8_t*& plane : planes_.level1) plane += values / 8;
  ahead_ += GroupsOf(values) * kDecodeAheadBytes;
  next_value_ += values;
}

void TileDecoder::Next(size_t values) {
  kernel_.decode_part(PartOf(values), &state_, buffers_);
  Advance(values);
}

void TileDecoder::NextBf16(size_t values, uint8_t* raw) {
  kernel_.decode_bf16(PartOf(values), rests_ + next_value_, raw, &state_);
  Advance(values);
}

absl::Status TileDecoder::Finish() {
  for (size_t i = 0; i < counts_.exceptions; ++i) buffers_->patches[Field(exceptions_, 2 * i)] = 0;
  if (state_.level2 == counts_.level2 && state_.level3 == counts_.level3) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("coded segment: a tile has ", state_.level2, " and ", state_.level3,
                                          " values at levels 2 and 3, expected ", counts_.level2, " and ",
                                          counts_.level3, " as its header says"));
}

}  // namespace incipit::codec_internal
