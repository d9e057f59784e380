// Whether the segments that came with a block are those that its layout says: else two engines, or two nodes, could
// disagree on what the bytes mean.
#pragma once

#include <vector>

#include "cache/format/layout.h"
#include "cache/format/record.h"

namespace incipit {

inline bool FitsLayout(const GroupSpec& group, uint16_t part, Codec codec, const std::vector<Segment>& segments) {
  if (segments.size() != group.SegmentsOfPart(part)) return false;
  for (const Segment& segment : segments) {
    if (segment.raw_bytes != group.SegmentBytes()) return false;
    if (!StoredRangeOf(codec, segment.raw_bytes).Contains(segment.stored_bytes)) return false;
  }
  return true;
}

}  // namespace incipit
