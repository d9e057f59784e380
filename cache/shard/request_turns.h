// Which turn of their conversations the latest requests are, as far as a shard can tell from the blocks it holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace incipit {

// A request goes on from the turn that stored the deepest of the blocks it finds. Of the last kRequests requests, by
// stamp; of older ones nothing is known. One thread.
class RequestTurns {
 public:
  static constexpr size_t kRequests = 256;

  // The first word on a request counts: later it also finds blocks of its own.
  void Note(uint64_t stamp_ns, uint8_t turn) {
    Slot& slot = SlotOf(stamp_ns);
    if (slot.stamp_ns != stamp_ns) slot = {stamp_ns, turn};
  }
  // 0: not known.
  uint8_t Of(uint64_t stamp_ns) const {
    const Slot& slot = slots_[IndexOf(stamp_ns)];
    return slot.stamp_ns == stamp_ns ? slot.turn : 0;
  }

 private:
  struct Slot {
    uint64_t stamp_ns = 0;
    uint8_t turn = 0;
  };
  static size_t IndexOf(uint64_t stamp_ns) { return (stamp_ns * 0x9e3779b97f4a7c15u) >> 56; }
  Slot& SlotOf(uint64_t stamp_ns) { return slots_[IndexOf(stamp_ns)]; }
  static_assert(kRequests == 256, "IndexOf takes 8 bits");

  std::array<Slot, kRequests> slots_;
};

}  // namespace incipit
