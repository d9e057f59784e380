#include "client/cli/block_batches.h"

namespace incipit {

std::vector<std::span<const ChainBlock>> CutIntoBatches(const BlockChain& chain, uint64_t bytes) {
  std::vector<std::span<const ChainBlock>> batches;
  const std::span<const ChainBlock> blocks(chain.blocks);
  size_t start = 0;
  uint64_t batch_bytes = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const uint64_t block_bytes = chain.GroupOf(blocks[i]).BlockBytes();
    if (i > start && batch_bytes + block_bytes > bytes) {
      batches.push_back(blocks.subspan(start, i - start));
      start = i;
      batch_bytes = 0;
    }
    batch_bytes += block_bytes;
  }
  if (start < blocks.size()) batches.push_back(blocks.subspan(start));
  return batches;
}

uint64_t PayloadBytesOf(const BlockChain& chain, std::span<const ChainBlock> blocks) {
  uint64_t bytes = 0;
  for (const ChainBlock& block : blocks) bytes += chain.GroupOf(block).BlockBytes();
  return bytes;
}

}  // namespace incipit
