// Little-endian fields at fixed offsets of a buffer whose size the caller has checked. Internal to cache/format.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>

#include "cache/base/bytes.h"

namespace incipit::format_internal {

static_assert(std::endian::native == std::endian::little,
              "formats are little-endian and fields are copied as they lie");

template <std::unsigned_integral T>
inline void PutField(MutableBytes bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

template <std::unsigned_integral T>
inline T GetField(ByteView bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

inline bool AllZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace incipit::format_internal
