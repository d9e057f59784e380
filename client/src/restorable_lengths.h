// From which blocks are present to how much of a prompt can be restored.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cache/format/layout.h"
#include "transport/wire/messages.h"

namespace incipit {

// Presence of consecutive blocks from token 0 on, one vector per group of the layout.
using GroupPresence = std::vector<std::vector<wire::Presence>>;

// Every length, in tokens and ascending, at which each group's hit rule is met: multiples of RestoreStepTokens() within
// what every group's keys cover. Pure; any thread. Costs one pass over the blocks and one step per candidate.
// REQUIRES: presence.size() == layout.groups.size().
std::vector<uint64_t> RestorableLengths(const Layout& layout, const GroupPresence& presence);

struct TierBytes {
  uint64_t ram = 0;
  uint64_t nvme = 0;
};
// What a restore at `tokens` has to load, by the tier that holds it. REQUIRES: `tokens` is one of the lengths above.
TierBytes BytesToRestore(const Layout& layout, const GroupPresence& presence, uint64_t tokens);

}  // namespace incipit
