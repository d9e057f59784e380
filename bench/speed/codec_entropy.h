// Entropy of bf16 values, plane by plane: what no lossless codec that takes values one by one can beat.
#pragma once

#include "bench/common/json.h"
#include "cache/base/bytes.h"

namespace incipit::bench {

struct PlaneEntropy {
  double sign = 0, mantissa = 0;      // bits of each value
  double exponent = 0;                // of all values together
  double exponent_given_channel = 0;  // where layer and channel are known

  double BoundRatio() const { return 16 / (sign + mantissa + exponent_given_channel); }
  Json ToJson() const;
};

// Segments of `segment_bytes` belong to `layers` layers in turn; rows have `channels` values.
struct EntropyShape {
  uint64_t segment_bytes;
  uint32_t layers;
  uint32_t channels;
};
PlaneEntropy EntropyOf(ByteView bf16, const EntropyShape& shape);

}  // namespace incipit::bench
