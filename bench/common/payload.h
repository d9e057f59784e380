// Payload that says of every eight bytes which block and which offset they belong to, so that a reader can tell a torn,
// mixed or misplaced block from the right one without keeping a copy. Pure functions, thread safe, no allocation.
//
// Word i of a block is a bijective mix of seed + i * odd constant: within one block all words differ, and two blocks
// share a word only where their 64-bit seeds happen to differ by a multiple of the constant. Written and verified at
// memory speed (about 8 GB/s), so that it does not dominate what is measured.
#pragma once

#include <cstdint>

#include "cache/base/bytes.h"
#include "cache/format/layout.h"

namespace incipit::bench {

// Seed of the block that `key` names in group `group` of a layout.
uint64_t PayloadSeed(const LayoutFingerprint& fingerprint, GroupIndex group, ByteView key);

// Writes bytes [offset, offset + out.size()) of the block. REQUIRES: offset is a multiple of 8.
void FillPayload(uint64_t seed, uint64_t offset, MutableBytes out);

// How many of `bytes` differ from bytes [offset, ...) of the block. REQUIRES: offset is a multiple of 8.
uint64_t CountWrongBytes(uint64_t seed, uint64_t offset, ByteView bytes);

}  // namespace incipit::bench
