#include "client/cli/seeded_payload.h"

#include <algorithm>
#include <cstring>

namespace incipit {
namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);

// Word `index` of the payload: a bijective mix, so that no two words of a block are equal.
uint64_t WordOf(uint64_t block_seed, uint64_t index) {
  uint64_t x = block_seed + (index + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

// Everything that makes the block another one enters its seed.
uint64_t BlockSeed(const BlockChain& chain, const ChainBlock& block, uint64_t seed) {
  Xxh3Stream hash;
  const LayoutFingerprint fingerprint = chain.layout.Fingerprint();
  hash.Update(ByteView(reinterpret_cast<const uint8_t*>(&seed), sizeof(seed)));
  hash.Update(fingerprint);
  hash.Update(ByteView(reinterpret_cast<const uint8_t*>(&block.group), sizeof(block.group)));
  hash.Update(block.key.bytes());
  return hash.Digest();
}

}  // namespace

void FillSeededPayload(const BlockChain& chain, const ChainBlock& block, uint64_t seed, MutableBytes payload) {
  const uint64_t block_seed = BlockSeed(chain, block, seed);
  for (size_t offset = 0; offset < payload.size(); offset += kWordBytes) {
    const uint64_t word = WordOf(block_seed, offset / kWordBytes);
    std::memcpy(payload.data() + offset, &word, std::min(kWordBytes, payload.size() - offset));
  }
}

uint64_t CountWrongBytes(const BlockChain& chain, const ChainBlock& block, uint64_t seed, ByteView payload) {
  const uint64_t block_seed = BlockSeed(chain, block, seed);
  uint64_t wrong = 0;
  for (size_t offset = 0; offset < payload.size(); offset += kWordBytes) {
    const uint64_t word = WordOf(block_seed, offset / kWordBytes);
    const size_t bytes = std::min(kWordBytes, payload.size() - offset);
    if (std::memcmp(payload.data() + offset, &word, bytes) == 0) continue;
    const auto* expected = reinterpret_cast<const uint8_t*>(&word);
    for (size_t i = 0; i < bytes; ++i) wrong += payload[offset + i] != expected[i];
  }
  return wrong;
}

}  // namespace incipit
