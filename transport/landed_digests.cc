#include "transport/landed_digests.h"

#include <algorithm>
#include <cstring>

#include "cache/base/check.h"
#include "cache/base/piece_cursor.h"
#include "cache/base/xxh3.h"
#include "transport/shared/streaming_copy.h"

namespace incipit {
namespace {

// Copies `bytes` to where the cursor stands. REQUIRES: as many are left there.
template <typename Copy>
void Fill(ByteView bytes, PieceCursor* to, Copy copy) {
  while (!bytes.empty()) {
    const MutableBytes room = to->Next(bytes.size());
    INCIPIT_CHECK(!room.empty(), "more bytes placed than there is room for");
    copy(room.data(), bytes.data(), room.size());
    bytes = bytes.subspan(room.size());
  }
}

}  // namespace

LandedDigests::LandedDigests(const std::vector<uint64_t>& part_bytes) : digests_(part_bytes.size()) {
  ends_.reserve(part_bytes.size());
  uint64_t end = 0;
  for (const uint64_t bytes : part_bytes) ends_.push_back(end += bytes);
}

void LandedDigests::Place(uint64_t position, ByteView bytes, std::span<const iovec> to) {
  PieceCursor room(to, 0);
  uint64_t at = base_ + position;
  size_t part = std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin();
  while (!bytes.empty()) {
    const uint64_t end = part < ends_.size() ? ends_[part] : UINT64_MAX;
    const ByteView in_part = bytes.first(std::min<uint64_t>(bytes.size(), end - at));
    const bool starts = part < ends_.size() && at == (part == 0 ? 0 : ends_[part - 1]);
    if (starts && at + in_part.size() == end) {
      digests_[part] = Xxh3Of(in_part);
      Fill(in_part, &room, StreamingCopy);
    } else {
      Fill(in_part, &room,
           [](uint8_t* target, const uint8_t* from, size_t count) { std::memcpy(target, from, count); });
    }
    bytes = bytes.subspan(in_part.size());
    at += in_part.size();
    ++part;
  }
}

}  // namespace incipit
