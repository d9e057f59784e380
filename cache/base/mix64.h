// The finaliser of splitmix64: a bijection of 64-bit numbers that mixes every bit into every other. Part of the formats
// (docs/wire_format.md and docs/placement.md), so it never changes.
#pragma once

#include <cstdint>

namespace incipit {

constexpr uint64_t Mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace incipit
