// The blocks of a prompt that are not here yet, in the order in which they are computed.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "client/include/incipit/client.h"
#include "client/src/restorable_lengths.h"
#include "transport/wire/claim_messages.h"

namespace incipit {

// Pure; one thread. Holds views of the keys. Order: by where a block ends, then group, then part. A key names all
// tokens up to its block's end, so two prompts that share a block share everything before it in this order: whoever
// computes the first missing one can compute all that follows, and waits for nobody (docs/decisions/010-claims.md).
class FlightPlan {
 public:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  struct Part {
    wire::KeyRef key;
    uint32_t block = 0;  // in its group
    uint64_t end_tokens = 0;
    wire::BlockState state = wire::BlockState::kFree;
    bool here() const { return state == wire::BlockState::kRam || state == wire::BlockState::kNvme; }
  };

  // All parts of the blocks that are misses in `presence`, as free. REQUIRES: one vector in `presence` for each group
  // of the layout, as long as the group's keys.
  FlightPlan(const Layout& layout, const std::vector<KeyList>& groups, GroupPresence presence);

  std::vector<Part>& parts() { return parts_; }
  const std::vector<Part>& parts() const { return parts_; }
  // What is here now: a block in parts if all of them are. One pass over the parts.
  GroupPresence Presence() const;
  std::vector<uint64_t> RestorableNow() const { return RestorableLengths(*layout_, Presence()); }
  // The first part that is not here and ends behind `tokens`; kNone if all are.
  size_t Head(uint64_t tokens) const;

 private:
  const Layout* layout_;
  GroupPresence presence_;
  std::vector<Part> parts_;
};

}  // namespace incipit
