// Bytes that `put --random SEED` stores and `get --random SEED` expects. Pure.
#pragma once

#include <cstdint>

#include "cache/base/bytes.h"
#include "client/cli/block_chain.h"

namespace incipit {

// Fills a block's payload. Other seeds, layouts, groups and keys give other bytes.
void FillSeededPayload(const BlockChain& chain, const ChainBlock& block, uint64_t seed, MutableBytes payload);
// How many of a block's bytes are not those.
uint64_t CountWrongBytes(const BlockChain& chain, const ChainBlock& block, uint64_t seed, ByteView payload);

}  // namespace incipit
