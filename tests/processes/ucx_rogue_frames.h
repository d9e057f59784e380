// What a rogue says on a connection for data of UCX's tcp: frames of UCX itself that a peer of ours never sends.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "cache/seams/random.h"
#include "tests/support/ucx_raw_peer.h"

namespace incipit::campaign {

using testing::Bytes;

class UcxRogueFrames {
 public:
  // `memory`: mappings of the node's process, for addresses that are really there.
  UcxRogueFrames(Random* random, std::vector<std::pair<uint64_t, uint64_t>> memory)
      : random_(random), memory_(std::move(memory)) {}
  // One frame, perhaps cut short, perhaps with bytes behind it that it would have written somewhere.
  Bytes Next(const testing::RawUcxPeer& peer);
  // A connection for data from its first byte, made without a greeting.
  Bytes Stranger();
  // Changes some bytes, cuts or adds some.
  void Damage(Bytes* bytes);
  uint64_t Pick(uint64_t below) { return random_->Below(below); }
  // Of the node's memory, or of nothing.
  uint64_t Address();
  // As a name of an endpoint or a request: small odd ones are looked up, others used as pointers.
  uint64_t Name() { return Pick(3) == 0 ? Address() : Pick(64) * 2 + Pick(4) / 3 + 1; }
  uint64_t Length();

 private:
  Bytes Noise(size_t bytes);
  Bytes RemoteMemory();
  Bytes Rendezvous();
  Bytes Messages(const testing::RawUcxPeer& peer);

  Random* random_;
  std::vector<std::pair<uint64_t, uint64_t>> memory_;
};

}  // namespace incipit::campaign
