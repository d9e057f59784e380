#include "bench/common/latents.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace incipit::bench {
namespace {

double ValueAt(const std::vector<uint8_t>& bytes, size_t index) {
  uint32_t bits = 0;
  std::memcpy(reinterpret_cast<uint8_t*>(&bits) + 2, bytes.data() + 2 * index, 2);
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// Standard deviation of a channel over the rows of one layer.
double DeviationOf(const std::vector<uint8_t>& bytes, size_t channel) {
  double squares = 0;
  const size_t rows = bytes.size() / kLatentRowBytes;
  for (size_t row = 0; row < rows; ++row) squares += std::pow(ValueAt(bytes, row * kLatentValues + channel), 2);
  return std::sqrt(squares / static_cast<double>(rows));
}

TEST(Latents, SameSeedSameBytes) {
  std::vector<uint8_t> first(kLatentRowBytes * 20), second(first.size());
  FillLatents({.segment_bytes = kLatentRowBytes * 4, .seed = 3}, first);
  FillLatents({.segment_bytes = kLatentRowBytes * 4, .seed = 3}, second);
  EXPECT_EQ(first, second);
  FillLatents({.segment_bytes = kLatentRowBytes * 4, .seed = 4}, second);
  EXPECT_NE(first, second);
}

TEST(Latents, ChannelsHaveTheStatedSpread) {
  std::vector<uint8_t> bytes(kLatentRowBytes * 2000);
  for (const double sigma : {0.0, 0.5}) {
    FillLatents({.sigma = sigma, .layers = 1, .segment_bytes = kLatentRowBytes * 64, .seed = 1}, bytes);
    double sum = 0, squares = 0;
    for (size_t channel = 0; channel < kLatentValues; ++channel) {
      const double log_scale = std::log(DeviationOf(bytes, channel));
      sum += log_scale;
      squares += log_scale * log_scale;
    }
    const double mean = sum / kLatentValues;
    EXPECT_NEAR(mean, 0, 0.07);
    EXPECT_NEAR(std::sqrt(squares / kLatentValues - mean * mean), sigma, 0.05);
  }
}

}  // namespace
}  // namespace incipit::bench
