#include "client/src/core/flight_plan.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace incipit {

FlightPlan::FlightPlan(const Layout& layout, const std::vector<KeyList>& groups, GroupPresence presence)
    : layout_(&layout), presence_(std::move(presence)) {
  for (size_t g = 0; g < groups.size(); ++g) {
    const GroupSpec& group = layout.groups[g];
    for (uint32_t part = 0; part < group.PartCount(); ++part) {
      for (size_t i = 0; i < groups[g].size(); ++i) {
        if (presence_[g][i] != Presence::kMiss) continue;
        Part& missing = parts_.emplace_back();
        missing.block = static_cast<uint32_t>(i);
        missing.key.group = static_cast<GroupIndex>(g);
        missing.key.part = static_cast<uint16_t>(part);
        missing.key.depth_tokens = static_cast<uint32_t>(i * group.block_tokens);
        missing.key.key = groups[g][i];
        missing.end_tokens = uint64_t{missing.key.depth_tokens} + group.block_tokens;
      }
    }
  }
  const auto before = [](const Part& a, const Part& b) {
    return std::tie(a.end_tokens, a.key.group, a.key.part) < std::tie(b.end_tokens, b.key.group, b.key.part);
  };
  if (!std::is_sorted(parts_.begin(), parts_.end(), before)) std::sort(parts_.begin(), parts_.end(), before);
}

GroupPresence FlightPlan::Presence() const {
  GroupPresence presence = presence_;
  for (const Part& part : parts_) {
    if (part.here()) presence[part.key.group][part.block] = wire::Presence::kRam;
  }
  for (const Part& part : parts_) {
    if (!part.here()) {
      presence[part.key.group][part.block] = wire::Presence::kMiss;
    } else if (part.state == wire::BlockState::kNvme && presence[part.key.group][part.block] != wire::Presence::kMiss) {
      presence[part.key.group][part.block] = wire::Presence::kNvme;
    }
  }
  return presence;
}

size_t FlightPlan::Head(uint64_t tokens) const {
  const auto found = std::find_if(parts_.begin(), parts_.end(),
                                  [tokens](const Part& part) { return !part.here() && part.end_tokens > tokens; });
  return found == parts_.end() ? kNone : static_cast<size_t>(found - parts_.begin());
}

}  // namespace incipit
