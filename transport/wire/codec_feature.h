// Codecs that a side may not know: docs/wire_format.md, "Features".
#pragma once

#include <cstdint>

#include "cache/format/record.h"

namespace incipit::wire {

// Bit of Hello.features: blocks that are coded and sealed, codecs 5 to 7, are understood.
inline constexpr uint64_t kFeatureSealedCodecs = 1ull << 6;

// Whether a block under `codec` may be sent to who has these features.
constexpr bool KnowsCodec(uint64_t features, Codec codec) {
  return !IsSealedCoded(codec) || (features & kFeatureSealedCodecs) != 0;
}

}  // namespace incipit::wire
