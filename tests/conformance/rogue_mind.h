// What a hostile peer says next: a valid message about things that are not its own, often with some bytes changed.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/seams/random.h"
#include "transport/wire/frame.h"
#include "transport/wire/messages.h"

namespace incipit::conformance {

// What a rogue knows of its victim: as much as anybody could, and then some.
struct Loot {
  std::vector<std::vector<uint8_t>> keys;                                  // of the victim's blocks
  std::vector<uint64_t> ids;                                               // of the victim's lease and claim
  std::vector<std::pair<wire::FrameHeader, std::vector<uint8_t>>> frames;  // that the victim sent, with their meta
  std::vector<uint8_t> layout;                                             // encoded
  uint32_t segment_bytes = 0;
  uint16_t segments = 0;  // of a block
};

struct Attempt {
  wire::FrameHeader header;  // payload_bytes as stated, which may be a lie
  std::vector<uint8_t> meta, payload;
  uint64_t sent_bytes = UINT64_MAX;  // fewer: the connection is closed in the middle
  bool is_noise = false;             // payload alone travels, without any frame
};

// Deterministic from its random numbers. Every frame's checksum is right: what damages get is never tested by it alone.
class RogueMind {
 public:
  RogueMind(Random* random, const Loot* loot) : random_(random), loot_(loot) {}
  // `own_namespace` is what the rogue opened itself.
  Attempt Next(uint32_t own_namespace);
  // The meta of a Load of the victim's keys; `*keys` becomes how many.
  std::vector<uint8_t> LoadMeta(uint32_t own_namespace, size_t* keys = nullptr);

 private:
  uint64_t Pick(uint64_t below) { return random_->Below(below); }
  uint32_t Namespace(uint32_t own) { return Pick(3) > 0 ? own : static_cast<uint32_t>(Pick(2) > 0 ? Pick(9) : Any()); }
  uint64_t Any();
  uint64_t Id() { return Pick(3) == 0 ? Any() : loot_->ids[Pick(loot_->ids.size())]; }
  wire::KeyBatch Keys();
  Attempt Lookup(uint32_t own);
  Attempt StoreUnderTheirKeys(uint32_t own);
  Attempt Session(uint32_t own);
  Attempt Replay();
  void Damage(Attempt* attempt);

  Random* random_;
  const Loot* loot_;
};

}  // namespace incipit::conformance
