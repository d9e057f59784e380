// Made-up latents for measuring codecs: bf16, token-major, as engines keep them. Same seed, same bytes, everywhere that
// std::exp and std::log of doubles agree.
//
// A layer has 576 channels, each with a scale exp(sigma * z), z standard normal; a value is its channel's scale times a
// standard normal (Box-Muller), rounded to bf16, nearest even. sigma 0.5 is "spread" (a few large channels and many
// small ones, as published of real KV), sigma 0 "gaussian", the kindest case. Scales differ between layers, not between
// tokens. What it leaves out: dependence between channels and between tokens, heavier tails.
#pragma once

#include <cstdint>

#include "cache/base/bytes.h"

namespace incipit::bench {

inline constexpr uint32_t kLatentValues = 576;
inline constexpr uint32_t kLatentRowBytes = 2 * kLatentValues;

struct LatentShape {
  double sigma = 0.5;
  uint32_t layers = 8;         // segments take them in turn
  uint64_t segment_bytes = 0;  // whole rows
  uint64_t seed = 1;
};

// Fills `out` with segment after segment; a last one may be cut short.
void FillLatents(const LatentShape& shape, MutableBytes out);

}  // namespace incipit::bench
