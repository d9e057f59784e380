#include "cache/codec/fp8_rows.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "cache/codec/fp8_lossless.h"

namespace incipit::codec_internal {
namespace {

constexpr size_t kValuesOfScale = 128;
constexpr float kLargest = 448;               // of e4m3
constexpr float kSmallestNormal = 1.0F / 64;  // 2^-6
constexpr float kSubnormalsPerUnit = 512;     // they are multiples of 2^-9
constexpr uint8_t kNan = 0x7f;

float FromBf16(const uint8_t* at) {
  return std::bit_cast<float>(static_cast<uint32_t>(at[0]) << 16 | static_cast<uint32_t>(at[1]) << 24);
}
void ToBf16(float value, uint8_t* at) {
  auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) {
    bits |= 0x400000;  // stays one, whatever is cut off
  } else {
    bits += 0x7fff + (bits >> 16 & 1);
  }
  at[0] = static_cast<uint8_t>(bits >> 16);
  at[1] = static_cast<uint8_t>(bits >> 24);
}

// Of a magnitude up to kLargest.
uint8_t CodeOf(float magnitude) {
  if (magnitude < kSmallestNormal) return static_cast<uint8_t>(std::nearbyint(magnitude * kSubnormalsPerUnit));
  auto bits = std::bit_cast<uint32_t>(magnitude);
  bits += 0x7ffff + (bits >> 20 & 1);
  return static_cast<uint8_t>((bits >> 20) - ((127 - 7) << 3));
}

std::array<float, 256> MakeValues() {
  std::array<float, 256> values;
  for (unsigned code = 0; code < 256; ++code) {
    const unsigned exponent = code >> 3 & 15, mantissa = code & 7;
    float value = exponent == 0 ? static_cast<float>(mantissa) / kSubnormalsPerUnit
                                : std::ldexp(1 + static_cast<float>(mantissa) / 8, static_cast<int>(exponent) - 7);
    if ((code & 0x7f) == kNan) value = std::numeric_limits<float>::quiet_NaN();
    values[code] = (code & 0x80) != 0 ? -value : value;
  }
  return values;
}

float ScaleOf(const uint8_t* raw) {
  float largest = 0;
  for (size_t i = 0; i < kValuesOfScale; ++i) {
    const float magnitude = std::fabs(FromBf16(raw + 2 * i));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return std::max(largest / kLargest, std::numeric_limits<float>::min());
}

void QuantizeRow(const uint8_t* raw, uint8_t* row) {
  for (size_t first = 0; first < kFp8RowValues; first += kValuesOfScale) {
    const float scale = ScaleOf(raw + 2 * first);
    std::memcpy(row + kFp8ScalesAt + first / kValuesOfScale * sizeof(scale), &scale, sizeof(scale));
    for (size_t i = first; i < first + kValuesOfScale; ++i) {
      const float value = FromBf16(raw + 2 * i) / scale;
      const uint8_t code = std::isnan(value) ? kNan : CodeOf(std::min(std::fabs(value), kLargest));
      row[i] = static_cast<uint8_t>(code | (std::signbit(value) ? 0x80 : 0));
    }
  }
  std::memcpy(row + kFp8RopeAt, raw + 2 * kFp8RowValues, 2 * kFp8RopeValues);
}

void DequantizeRow(const uint8_t* row, uint8_t* raw) {
  static const std::array<float, 256> values = MakeValues();
  for (size_t first = 0; first < kFp8RowValues; first += kValuesOfScale) {
    float scale;
    std::memcpy(&scale, row + kFp8ScalesAt + first / kValuesOfScale * sizeof(scale), sizeof(scale));
    for (size_t i = first; i < first + kValuesOfScale; ++i) ToBf16(values[row[i]] * scale, raw + 2 * i);
  }
  std::memcpy(raw + 2 * kFp8RowValues, row + kFp8RopeAt, 2 * kFp8RopeValues);
}

}  // namespace

void QuantizeRows(ByteView raw, MutableBytes rows) {
  for (size_t row = 0; row < raw.size() / kBf16RowBytes; ++row) {
    QuantizeRow(raw.data() + row * kBf16RowBytes, rows.data() + row * kFp8RowBytes);
  }
}
void DequantizeRows(ByteView rows, MutableBytes raw) {
  for (size_t row = 0; row < rows.size() / kFp8RowBytes; ++row) {
    DequantizeRow(rows.data() + row * kFp8RowBytes, raw.data() + row * kBf16RowBytes);
  }
}

}  // namespace incipit::codec_internal
