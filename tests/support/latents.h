// Values as engines keep them, for tests of codecs: normally distributed, each channel with a scale of its own. Every
// test draws them from a seed.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "cache/base/bytes.h"

namespace incipit::testing {

// The upper half of a float, rounded to nearest even.
inline uint16_t Bf16Of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// `rows` rows of `channels` bf16, token-major; scales are lognormal with deviation `sigma`.
inline std::vector<uint8_t> Bf16Rows(size_t rows, size_t channels, double sigma, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  std::vector<float> scales(channels);
  for (float& scale : scales) scale = std::exp(static_cast<float>(sigma) * normal(random));
  std::vector<uint8_t> bytes;
  bytes.reserve(rows * channels * 2);
  for (size_t i = 0; i < rows * channels; ++i) {
    const uint16_t value = Bf16Of(normal(random) * scales[i % channels]);
    bytes.push_back(static_cast<uint8_t>(value));
    bytes.push_back(static_cast<uint8_t>(value >> 8));
  }
  return bytes;
}

// `rows` rows of 656 bytes: e4m3 values of which the largest of each 128 is near the format's, scales, bf16.
inline std::vector<uint8_t> Fp8Rows(size_t rows, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  std::vector<uint8_t> bytes;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < 512; ++i) {
      const float value = normal(random) * 150;
      int exponent = 0;
      const auto eighths = static_cast<int>(std::lround(std::frexp(std::fabs(value), &exponent) * 16)) & 7;
      const int stored = std::clamp(exponent + 6, 0, 15);
      bytes.push_back(static_cast<uint8_t>((value < 0 ? 0x80 : 0) | stored << 3 | eighths));
    }
    for (size_t i = 0; i < 4; ++i) {
      const auto bits = std::bit_cast<uint32_t>(std::fabs(normal(random)) / 100);
      for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(bits >> shift));
    }
    const std::vector<uint8_t> rope = Bf16Rows(1, 64, 0.5, random);
    bytes.insert(bytes.end(), rope.begin(), rope.end());
  }
  return bytes;
}

inline std::vector<uint8_t> RandomBytes(size_t count, std::mt19937_64& random) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

}  // namespace incipit::testing
