#include "bench/speed/codec_entropy.h"

#include <cmath>
#include <vector>

#include "bench/common/percentiles.h"

namespace incipit::bench {
namespace {

constexpr size_t kExponents = 256;

// Bits per value, times the number of values.
double TotalBits(const uint32_t* counts, size_t kinds) {
  double total = 0, sum = 0;
  for (size_t i = 0; i < kinds; ++i) {
    total += counts[i];
    if (counts[i] > 0) sum += counts[i] * std::log2(counts[i]);
  }
  return total > 0 ? total * std::log2(total) - sum : 0;
}

}  // namespace

Json PlaneEntropy::ToJson() const {
  return {{"sign", Rounded(sign, 4)},
          {"mantissa", Rounded(mantissa, 4)},
          {"exponent", Rounded(exponent, 4)},
          {"exponent_given_channel", Rounded(exponent_given_channel, 4)}};
}

PlaneEntropy EntropyOf(ByteView bf16, const EntropyShape& shape) {
  std::vector<uint32_t> signs(2), mantissas(128), exponents(kExponents);
  std::vector<uint32_t> of_channels(size_t{shape.layers} * shape.channels * kExponents);
  const size_t values = bf16.size() / 2, segment_values = shape.segment_bytes / 2;
  for (size_t i = 0; i < values; ++i) {
    const unsigned value = bf16[2 * i] | bf16[2 * i + 1] << 8, exponent = value >> 7 & 255;
    const size_t layer = i / segment_values % shape.layers, channel = i % segment_values % shape.channels;
    ++signs[value >> 15];
    ++mantissas[value & 127];
    ++exponents[exponent];
    ++of_channels[(layer * shape.channels + channel) * kExponents + exponent];
  }
  const auto count = static_cast<double>(std::max<size_t>(values, 1));
  PlaneEntropy entropy;
  entropy.sign = TotalBits(signs.data(), signs.size()) / count;
  entropy.mantissa = TotalBits(mantissas.data(), mantissas.size()) / count;
  entropy.exponent = TotalBits(exponents.data(), exponents.size()) / count;
  for (size_t at = 0; at < of_channels.size(); at += kExponents) {
    entropy.exponent_given_channel += TotalBits(of_channels.data() + at, kExponents) / count;
  }
  return entropy;
}

}  // namespace incipit::bench
