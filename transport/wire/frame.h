// The frame that carries every message on stream lanes: fixed header, meta, payload. docs/wire_format.md specifies it.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::wire {

inline constexpr uint32_t kFrameMagic = 0x31434e49;  // "INC1" in wire order
inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 48;
inline constexpr uint32_t kMaxMetaBytes = 8u << 20;
inline constexpr uint64_t kMaxFramePayloadBytes = 128ull << 20;
inline constexpr uint32_t kMaxBatchKeys = 65536;  // keys or blocks in one message

enum class FrameType : uint8_t {
  kHello = 1,
  kHelloReply = 2,
  kOpenNamespace = 3,
  kOpenNamespaceReply = 4,
  kMatch = 5,
  kMatchReply = 6,
  kLoad = 7,
  kLoadReply = 8,  // one or more replies a request, the last one flagged
  kOffer = 9,
  kOfferReply = 10,
  kStore = 11,
  kStoreReply = 12,
  kTouch = 13,
  kTouchReply = 14,
  kRelease = 15,
  kReleaseReply = 16,
  kRemove = 17,
  kRemoveReply = 18,
  kStats = 19,
  kStatsReply = 20,
  kPing = 21,
  kPong = 22,
  kError = 23,  // answers any request that failed as a whole
  kChallenge = 24,
  kProof = 25,
  kProofReply = 26,
  kOpenShared = 27,  // answered by kOpenNamespaceReply
  kClaim = 28,
  kClaimReply = 29,
  kWait = 30,
  kWaitReply = 31,  // one or more replies a request, the last one flagged
  // Of memory that both ends share (shared_messages.h), after both agreed on the feature.
  kRegionReply = 32,  // to both of these
  kRegisterRegion = 33,
  kForgetRegion = 35,
  kGetMap = 36,  // of the cluster (map_messages.h), after both agreed on the feature
  kMapReply = 37,
  // Between nodes, and from an operator to one (node_messages.h), after both agreed on the feature.
  kDrain = 40,
  kDrainReply = 41,
  kPeer = 42,
  kPeerReply = 43,
};
inline constexpr FrameType kLastFrameType = FrameType::kPeerReply;  // numbers below it may be unknown all the same
bool IsKnownFrameType(uint8_t type);
// Below Error, replies are those with even numbers.
bool IsReply(FrameType type);
const char* FrameTypeName(FrameType type);

inline constexpr uint16_t kFrameFlagLast = 1;    // last reply of its request (set on all single replies)
inline constexpr uint16_t kFrameFlagShared = 2;  // Load, LoadReply, Store: block bytes are in memory that both share

struct FrameHeader {
  FrameType type = FrameType::kPing;
  uint16_t flags = 0;
  uint64_t request_id = 0;  // chosen by the client, echoed in each reply
  uint64_t epoch = 0;       // of the shard map the sender believes in; 0 before it knows
  uint32_t meta_bytes = 0;
  uint64_t payload_bytes = 0;

  // Encodes with the checksum over header and `meta`. REQUIRES: meta.size() == meta_bytes, limits kept.
  std::array<uint8_t, kFrameHeaderBytes> Encode(ByteView meta) const;
  // Decodes everything that can be checked without the meta: magic, version, type, lengths against the limits, header
  // checksum. InvalidArgument names the field, what was found and what is allowed. FailedPrecondition: unknown version.
  // DataLoss: the header was damaged on the way.
  static absl::StatusOr<FrameHeader> Decode(ByteView header);
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

// DataLoss if the checksum in the encoded `header` is not that of header and `meta`.
absl::Status VerifyFrame(ByteView header, ByteView meta);

}  // namespace incipit::wire
