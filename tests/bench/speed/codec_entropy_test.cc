#include "bench/speed/codec_entropy.h"

#include <gtest/gtest.h>

#include <vector>

namespace incipit::bench {
namespace {

TEST(CodecEntropy, BitsAreCountedPlaneByPlane) {
  std::vector<uint8_t> bytes;
  for (unsigned i = 0; i < 4096; ++i) {  // two channels; exponents 100..103 and 110..113, signs and mantissas uniform
    const unsigned value = (i >> 2 & 1) << 15 | (100 + i % 2 * 10 + (i >> 3 & 3)) << 7 | (i >> 5 & 127);
    bytes.push_back(static_cast<uint8_t>(value));
    bytes.push_back(static_cast<uint8_t>(value >> 8));
  }
  const PlaneEntropy entropy = EntropyOf(bytes, {.segment_bytes = 1024, .layers = 1, .channels = 2});
  EXPECT_NEAR(entropy.sign, 1, 1e-9);
  EXPECT_NEAR(entropy.mantissa, 7, 1e-9);
  EXPECT_NEAR(entropy.exponent, 3, 1e-9);
  EXPECT_NEAR(entropy.exponent_given_channel, 2, 1e-9);
  EXPECT_NEAR(entropy.BoundRatio(), 1.6, 1e-9);
}

TEST(CodecEntropy, NothingHasNoEntropy) {
  EXPECT_EQ(EntropyOf({}, {.segment_bytes = 2, .layers = 1, .channels = 1}).exponent, 0);
}

}  // namespace
}  // namespace incipit::bench
