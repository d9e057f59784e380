// A key batch on the wire: a count, then runs of consecutive keys that share group, part and key length.
// docs/wire_format.md gives the bytes. A batch has exactly one encoding.
#pragma once

#include <span>
#include <vector>

#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

inline constexpr size_t kKeyRunHeaderBytes = 10;

// Appends the batch, in its order. Writes what it is given: a batch over the limits is refused by the peer's decoder
// (a key over 65,535 bytes is cut there, which is refused as well). One or two passes, one growth of `out` a run.
void EncodeKeyBatch(std::span<const KeyRef> keys, std::vector<uint8_t>* out);

// Reads a batch into `keys`, whose key views point into the meta. On failure the reader holds the error ("empty
// batch", "split the batch", ...) and `keys` is of no use. One pass, one allocation, 24 bytes a key.
void DecodeKeyBatch(MetaReader* reader, KeyBatch* keys);

}  // namespace incipit::wire
