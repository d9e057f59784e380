// The table of functions that each instruction set's build provides. All give the same bytes. Pure, thread safe, no
// allocation. `values` is at most kTileValues where ranks are concerned. Internal to cache/codec/.
#pragma once

#include "cache/codec/rank_tile.h"

namespace incipit::codec_internal {

struct Kernel {
  const char* name;

  // bf16: exponents get the exponent of each value, rests its mantissa << 1 | sign. Within each 32 values, the second
  // eight and the third are exchanged, which spares shuffles. REQUIRES: values is a multiple of 32.
  void (*split_bf16)(const uint8_t* raw, size_t values, uint8_t* exponents, uint8_t* rests);
  void (*exponents_bf16)(const uint8_t* raw, size_t values, uint8_t* exponents);
  // Writes around the caches where `raw` is aligned to 64 bytes; see `fence`.
  void (*merge_bf16)(const uint8_t* exponents, const uint8_t* rests, size_t values, uint8_t* raw);

  // e4m3: exponents get the exponent of each value, in order; of 64 values, byte j (0..31) of rests holds mantissa << 1
  // | sign of value j in its lower half, of value 32 + j in its upper. REQUIRES: values is a multiple of 64.
  void (*split_e4m3)(const uint8_t* raw, size_t values, uint8_t* exponents, uint8_t* rests);
  void (*exponents_e4m3)(const uint8_t* raw, size_t values, uint8_t* exponents);
  void (*merge_e4m3)(const uint8_t* exponents, const uint8_t* rests, size_t values, uint8_t* raw);
  // Before what was merged is handed to another thread or device.
  void (*fence)();

  // sums[i] += min(max(exponents[i] - lowest, 0), span).
  void (*add_clamped)(const uint8_t* exponents, size_t values, uint8_t lowest, uint8_t span, uint8_t* sums);
  // counts[place] += values whose place in an encoder's table that is; values without one are not counted.
  void (*count_places)(const uint8_t* exponents, const uint8_t* bases, size_t values, uint32_t* counts);

  // Codes the next part of a tile, of which buffers->exponents has all exponents up to its end, against
  // bases[0..values): its bits of level 1 to level1[0] and level1[1], PlaneBytesOf(values) each; the rest is appended
  // to buffers->packed and the words with exceptions. `bases` are read up to the next multiple of kGroupValues.
  void (*encode_part)(const EncodePart& part, PackState* state, TileBuffers* buffers);
  // split_bf16 and encode_part in one. REQUIRES: values is a multiple of kGroupValues.
  void (*encode_bf16)(const EncodePart& part, const uint8_t* raw, uint8_t* rests, PackState* state,
                      TileBuffers* buffers);
  // Writes the bits that encode_part kept.
  void (*finish_planes)(Levels levels, const PackState& state, TileBuffers* buffers);
  // The reverse of encode_part: fills buffers->exponents with a part, from its start, and what is behind it with
  // anything. Of exceptions the planes tell nothing: their exponents are their bases, but for part.patches. What it
  // takes of the packed planes is added to `state`, and can be more than there is, if planes of level 1 are damaged: at
  // most a bit for each value.
  void (*decode_part)(const DecodePart& part, UnpackState* state, TileBuffers* buffers);
  // decode_part and merge_bf16 in one. REQUIRES: values is a multiple of kGroupValues.
  void (*decode_bf16)(const DecodePart& part, const uint8_t* rests, uint8_t* raw, UnpackState* state);
};

extern const Kernel kAvx512Kernel;
extern const Kernel kAvx2Kernel;
extern const Kernel kPortableKernel;

// Whether this processor can run a kernel.
bool CanRun(const Kernel& kernel);
// The fastest that this processor can run; chosen once. On AMD before Zen 3, where PDEP and PEXT are microcode, that is
// the portable one.
const Kernel& BestKernel();

}  // namespace incipit::codec_internal
