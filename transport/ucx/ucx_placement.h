// A receive whose bytes go to where they belong by our own hands.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <vector>

#include "cache/base/bytes.h"
#include "cache/base/piece_cursor.h"

namespace incipit {

class LandedDigests;

// UCX takes the peer's word for which part of a message a packet holds. Here each byte comes once and in order, for
// what has a checksum already must stay as it is. One thread.
class UcxPlacement {
 public:
  // Of as many bytes as `target` holds, the first of which `digests` knows as that at `position`. `digests` and the
  // memory must outlive this.
  UcxPlacement(LandedDigests* digests, uint64_t position, const std::vector<iovec>& target)
      : digests_(digests), position_(position), bytes_(BytesOf(target)), target_(target) {}

  // False, and nothing is written: these are not the bytes that come next, or more than are to come.
  bool Place(uint64_t offset, ByteView bytes);

  uint64_t placed() const { return placed_; }

 private:
  LandedDigests* digests_;
  uint64_t position_, bytes_;
  std::vector<iovec> target_;
  uint64_t placed_ = 0;
};

}  // namespace incipit
