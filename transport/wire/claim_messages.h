// The meta of the messages of single flight: who computes what is missing, and waiting for it. As messages.h.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "transport/wire/messages.h"

namespace incipit::wire {

// Of Hello and HelloReply: Claim and Wait are understood.
inline constexpr uint64_t kFeatureClaims = 1ull << 1;

// Release takes ids of three kinds.
inline constexpr uint64_t kClaimIdBit = 1ull << 63;
inline constexpr uint64_t kWaitIdBit = 1ull << 62;

enum class BlockState : uint8_t {
  kFree = 0,       // not here, and nobody computes it
  kRam = 1,        // here
  kNvme = 2,       // here
  kClaimed = 3,    // claimed for whoever asked
  kComputing = 4,  // claimed by another
};
inline constexpr BlockState kLastBlockState = BlockState::kComputing;

struct Claim {
  uint32_t namespace_id = 0;
  uint32_t claim_ms = 1;  // 1 or more
  uint64_t claim_id = 0;  // 0: claim `keys`. Otherwise renew that claim; `keys` do not travel
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Claim> Decode(ByteView meta);
};
struct ClaimReply {
  uint64_t claim_id = 0;  // 0: nothing was claimed, or the claim to be renewed is over
  uint32_t claim_ms = 0;
  uint32_t computing_ms = 0;       // age of the claim on the first key in state kComputing
  std::vector<BlockState> states;  // one per key, in request order
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<ClaimReply> Decode(ByteView meta);
};

struct Wait {
  uint32_t namespace_id = 0;
  uint32_t deadline_ms = 1;  // 1 or more, from receipt
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Wait> Decode(ByteView meta);
};
struct StateRun {
  uint32_t first = 0;  // position in the request's batch
  uint32_t keys = 1;
  BlockState state = BlockState::kFree;  // not kClaimed
};
struct WaitReply {
  uint64_t wait_id = 0;
  std::vector<StateRun> runs;  // in order: a later one overrides an earlier one
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<WaitReply> Decode(ByteView meta);
};

}  // namespace incipit::wire
