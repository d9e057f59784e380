// Cuts a long list of blocks into batches whose payload fits a buffer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/cli/block_chain.h"

namespace incipit {

// Runs of at most `bytes` of payload each, but at least one block. Views into chain.blocks.
std::vector<std::span<const ChainBlock>> CutIntoBatches(const BlockChain& chain, uint64_t bytes);
// Payload bytes of all blocks.
uint64_t PayloadBytesOf(const BlockChain& chain, std::span<const ChainBlock> blocks);

inline constexpr uint64_t kBatchBytes = 64 << 20;

}  // namespace incipit
