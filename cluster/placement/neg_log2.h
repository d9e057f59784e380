// neglog2 of docs/placement.md: -log2(h / 2^64) in units of 2^-40, in integer arithmetic that is specified to the last
// bit, since every client and node must agree on it. Thread safe.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace incipit {

inline constexpr int kNegLog2FractionBits = 40;
inline constexpr uint64_t kMaxNegLog2 = 64ull << kNegLog2FractionBits;

// log2(1 + i / 256) in the same units, by repeated squaring. A constant of the program: 2 KiB.
constexpr std::array<uint64_t, 257> MakeLog2Table() {
  std::array<uint64_t, 257> table{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t x = (256 + i) << 55;  // in [1, 2), with 63 bits of fraction
    for (int bit = kNegLog2FractionBits - 1; bit >= 0; --bit) {
      const unsigned __int128 square = (static_cast<unsigned __int128>(x) * x) >> 63;
      const bool at_least_two = (square >> 64) != 0;
      if (at_least_two) table[i] |= 1ull << bit;
      x = static_cast<uint64_t>(at_least_two ? square >> 1 : square);
    }
  }
  table[256] = 1ull << kNegLog2FractionBits;
  return table;
}

inline constexpr std::array<uint64_t, 257> kLog2Table = MakeLog2Table();

// From 2 to kMaxNegLog2. Never ascends with h. Two loads and one multiplication.
constexpr uint64_t NegLog2(uint64_t h) {
  if (h == 0) h = 1;
  const int zeros = std::countl_zero(h);
  const uint64_t m = h << zeros;
  const uint64_t i = (m >> 55) & 0xff;
  const uint64_t r = (m >> 24) & 0x7fffffff;
  const uint64_t log = kLog2Table[i] + (((kLog2Table[i + 1] - kLog2Table[i]) * r) >> 31);
  return (static_cast<uint64_t>(zeros + 1) << kNegLog2FractionBits) - log;
}

}  // namespace incipit
