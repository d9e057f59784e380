// Which later request touches each block of a request next: what clairvoyance knows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eviction/sim/prefix_trace.h"

namespace incipit {

// Immutable once made; any thread. Along a chain the next use never comes earlier, so a request needs few pieces: 8
// bytes each.
class NextUse {
 public:
  static constexpr uint32_t kNever = UINT32_MAX;
  // The blocks of a chain from `begin` up to the next piece are all next used by `request`.
  struct Piece {
    uint32_t begin;
    uint32_t request;
  };

  explicit NextUse(const PrefixTrace& trace);
  std::span<const Piece> Of(size_t request) const {
    return std::span(pieces_).subspan(begins_[request], begins_[request + 1] - begins_[request]);
  }

 private:
  std::vector<Piece> pieces_;
  std::vector<uint64_t> begins_;  // by request; one more at the end
};

}  // namespace incipit
