#include "eviction/sim/request_walk.h"

#include <algorithm>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

}  // namespace

void RequestWalk::Begin(const PrefixTrace::Request& request) {
  trace_.ChainOf(request, &chain_);
  request_ = &request;
  access_.stamp_ns = std::max(access_.stamp_ns + 1, request.time_ms * kNsPerMs);
  access_.output_tokens = request.output_tokens;
}

uint8_t RequestWalk::TurnAfter(Block deepest) const {
  if (deepest == PrefixTrace::kNone) return 1;
  return static_cast<uint8_t>(std::min<uint32_t>(turns_[deepest] + 1u, UINT8_MAX));
}

const Access& RequestWalk::AccessOf(size_t index, uint8_t turn) {
  access_.turn = turn;
  access_.depth_tokens = static_cast<uint32_t>(
      std::min<uint64_t>(trace_.PositionOf(*request_, index) * trace_.block_tokens(), UINT32_MAX));
  access_.key = MixKey(uint64_t{chain_[index]} + 1);
  return access_;
}

}  // namespace incipit
