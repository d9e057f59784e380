#include "cache/codec/plane_coder.h"

#include <array>
#include <cstring>
#include <numeric>

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
  PackedSizes(Levels levels, const PackState& counts) {
    const size_t level2 = (counts.level2 + 7) / 8, level3 = (counts.level3 + 7) / 8;
    bytes = {level2, level2, levels == Levels::kTwo ? level2 : level3, level3, level3};
  }
  size_t total() const { return std::accumulate(bytes.begin(), bytes.end(), size_t{0}); }
  std::array<size_t, kPackedPlanes> bytes;
};

absl::Status Damaged(std::string_view field, uint64_t found, uint64_t at_most) {
  return absl::DataLossError(
      absl::StrCat("coded segment: a tile's ", std::string(field), " is ", found, ", expected at most ", at_most));
}

absl::Status CheckCounts(Levels levels, const PackState& counts, size_t values) {
  if (counts.level2 > values) return Damaged("count of values at level 2", counts.level2, values);
  const uint32_t most = levels == Levels::kTwo ? 0 : counts.level2;
  if (counts.level3 > most) return Damaged("count of values at level 3", counts.level3, most);
  const uint32_t last = levels == Levels::kTwo ? counts.level2 : counts.level3;
  if (counts.exceptions > last) return Damaged("count of exceptions", counts.exceptions, last);
  return absl::OkStatus();
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

void TileEncoder::Add(size_t values, uintptr_t ahead) {
  uint8_t* const level1 = out_.data() + kTileHeaderBytes + state_.values / 8;
  kernel_.encode_part({.levels = model_.levels(),
                       .bases = model_.BasesAt(shape_.first + state_.values),
                       .values = values,
                       .table = &model_.encode_table(),
                       .level1 = {level1, level1 + PlaneBytesOf(shape_.values)},
                       .ahead = ahead},
                      &state_, buffers_);
}

size_t TileEncoder::Finish() {
  INCIPIT_CHECK(state_.values == shape_.values, "a tile was coded to its end");
  kernel_.finish_planes(model_.levels(), state_, buffers_);
  const PackedSizes sizes(model_.levels(), state_);
  const size_t packed_at = kTileHeaderBytes + 2 * PlaneBytesOf(shape_.values) + shape_.rest_bytes;
  const size_t tile_bytes = packed_at + sizes.total() + kExceptionBytes * state_.exceptions;
  if (out_.size() < tile_bytes) return 0;
  PutField(out_, kLevel2At, state_.level2);
  PutField(out_, kLevel3At, state_.level3);
  PutField(out_, kExceptionsAt, state_.exceptions);
  PutField(out_, kReservedAt, 0);
  uint8_t* at = out_.data() + packed_at;
  for (size_t i = 0; i < kPackedPlanes; at += sizes.bytes[i++]) std::memcpy(at, buffers_->packed[i], sizes.bytes[i]);
  for (size_t i = 0; i < state_.exceptions; ++i, at += 2) PutField({at, 2}, 0, buffers_->exception_places[i]);
  std::memcpy(at, buffers_->exception_exponents, state_.exceptions);
  return tile_bytes;
}

absl::StatusOr<size_t> TileDecoder::Begin(const TileShape& shape, ByteView in) {
  INCIPIT_CHECK(shape.values > 0 && shape.values <= kTileValues, "a tile has 1 to kTileValues values");
  const size_t plane_bytes = PlaneBytesOf(shape.values);
  const size_t rests_at = kTileHeaderBytes + 2 * plane_bytes, packed_at = rests_at + shape.rest_bytes;
  if (in.size() < packed_at) return Damaged("least length", packed_at, in.size());
  shape_ = shape;
  counts_.level2 = Field(in, kLevel2At);
  counts_.level3 = Field(in, kLevel3At);
  counts_.exceptions = Field(in, kExceptionsAt);
  if (absl::Status checked = CheckCounts(model_.levels(), counts_, shape.values); !checked.ok()) return checked;
  if (Field(in, kReservedAt) != 0) return Damaged("reserved field", Field(in, kReservedAt), 0);
  const PackedSizes sizes(model_.levels(), counts_);
  const size_t exceptions_at = packed_at + sizes.total();
  const size_t tile_bytes = exceptions_at + kExceptionBytes * counts_.exceptions;
  if (in.size() < tile_bytes) return Damaged("length", tile_bytes, in.size());
  rests_ = in.data() + rests_at;
  exceptions_ = in.subspan(exceptions_at, kExceptionBytes * counts_.exceptions);
  planes_ = PlacePlanes(in.data() + kTileHeaderBytes, plane_bytes, in.subspan(packed_at), sizes, buffers_);
  ahead_ = reinterpret_cast<uintptr_t>(in.data()) + tile_bytes;  // the next tile
  state_ = {};
  next_exception_ = next_value_ = 0;
  return tile_bytes;
}

void TileDecoder::Next(size_t values) {
  kernel_.decode_part({.levels = model_.levels(),
                       .bases = model_.BasesAt(shape_.first + next_value_),
                       .values = values,
                       .table = &model_.decode_table(),
                       .planes = planes_,
                       .ahead = ahead_},
                      &state_, buffers_);
  for (const uint8_t*& plane : planes_.level1) plane += values / 8;
  ahead_ += values / 64 * kAheadPerWord;
  const uint8_t* const exponents = exceptions_.data() + size_t{2} * counts_.exceptions;
  for (; next_exception_ < counts_.exceptions; ++next_exception_) {
    const size_t place = Field(exceptions_, 2 * next_exception_) - next_value_;
    if (place >= values) break;
    buffers_->exponents[place] = exponents[next_exception_];
  }
  next_value_ += values;
}

absl::Status TileDecoder::Finish() const {
  if (state_.level2 != counts_.level2 || state_.level3 != counts_.level3) {
    return absl::DataLossError(absl::StrCat("coded segment: a tile has ", state_.level2, " and ", state_.level3,
                                            " values at levels 2 and 3, expected ", counts_.level2, " and ",
                                            counts_.level3, " as its header says"));
  }
  if (next_exception_ != counts_.exceptions) {
    return absl::DataLossError(absl::StrCat("coded segment: place ", Field(exceptions_, 2 * next_exception_),
                                            " of an exception in a tile of ", shape_.values,
                                            " values, expected ascending places in it"));
  }
  return absl::OkStatus();
}

}  // namespace incipit::codec_internal
