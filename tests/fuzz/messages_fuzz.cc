// Input: a byte that selects the frame type, then the meta of a message of that type.
#include <algorithm>
#include <vector>

#include "tests/fuzz/check.h"
#include "transport/wire/activity_messages.h"
#include "transport/wire/auth_messages.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/map_messages.h"
#include "transport/wire/messages.h"
#include "transport/wire/node_messages.h"
#include "transport/wire/shared_messages.h"

namespace {

using namespace incipit::wire;  // NOLINT: every message of the format is named below
using incipit::ByteView;

template <typename Message>
void CheckMessage(ByteView meta) {
  const auto decoded = Message::Decode(meta);
  if (!decoded.ok()) {
    FUZZ_CHECK(decoded.status().code() == absl::StatusCode::kInvalidArgument, "refusals are InvalidArgument");
    FUZZ_CHECK(!decoded.status().message().empty(), "a refusal says why");
    return;
  }
  if constexpr (requires { decoded->PayloadBytes(); }) {
    FUZZ_CHECK(decoded->PayloadBytes() <= kMaxFramePayloadBytes, "payload sum within its limit");
  }
  std::vector<uint8_t> again;
  decoded->Encode(&again);
  FUZZ_CHECK(std::ranges::equal(again, meta), "a message has one encoding");
}

// Messages that need a feature.
void CheckFeatureType(FrameType type, ByteView meta) {
  switch (type) {
    case FrameType::kClaim:
      return CheckMessage<Claim>(meta);
    case FrameType::kClaimReply:
      return CheckMessage<ClaimReply>(meta);
    case FrameType::kWait:
      return CheckMessage<Wait>(meta);
    case FrameType::kWaitReply:
      return CheckMessage<WaitReply>(meta);
    case FrameType::kGetMap:
      return CheckMessage<GetMap>(meta);
    case FrameType::kMapReply:
      return CheckMessage<MapReply>(meta);
    case FrameType::kDrain:
      return CheckMessage<Drain>(meta);
    case FrameType::kDrainReply:
      return CheckMessage<DrainReply>(meta);
    case FrameType::kPeer:
      return CheckMessage<Peer>(meta);
    default:
      return CheckMessage<PeerReply>(meta);
  }
}

void CheckType(FrameType type, ByteView meta) {
  switch (type) {
    case FrameType::kHello:
      return CheckMessage<Hello>(meta);
    case FrameType::kHelloReply:
      return CheckMessage<HelloReply>(meta);
    case FrameType::kOpenNamespace:
      return CheckMessage<OpenNamespace>(meta);
    case FrameType::kOpenNamespaceReply:
      return CheckMessage<OpenNamespaceReply>(meta);
    case FrameType::kMatch:
      return CheckMessage<Match>(meta);
    case FrameType::kMatchReply:
      return CheckMessage<MatchReply>(meta);
    case FrameType::kLoad:
      return CheckMessage<Load>(meta);
    case FrameType::kLoadReply:
      return CheckMessage<LoadReply>(meta);
    case FrameType::kOffer:
      return CheckMessage<Offer>(meta);
    case FrameType::kStore:
      return CheckMessage<Store>(meta);
    case FrameType::kTouch:
      return CheckMessage<Touch>(meta);
    case FrameType::kRelease:
      return CheckMessage<Release>(meta);
    case FrameType::kRemove:
      return CheckMessage<Remove>(meta);
    case FrameType::kStatsReply:
      CheckMessage<DetailedStats>(meta);
      return CheckMessage<StatsReply>(meta);
    case FrameType::kStats:
      return CheckMessage<StatsRequest>(meta);
    case FrameType::kError:
      return CheckMessage<Error>(meta);
    case FrameType::kChallenge:
      return CheckMessage<Challenge>(meta);
    case FrameType::kProof:
      return CheckMessage<Proof>(meta);
    case FrameType::kProofReply:
      return CheckMessage<ProofReply>(meta);
    case FrameType::kOpenShared:
      return CheckMessage<OpenShared>(meta);
    case FrameType::kOfferReply:
    case FrameType::kStoreReply:
    case FrameType::kTouchReply:
    case FrameType::kRemoveReply:
      return CheckMessage<StatusReply>(meta);
    case FrameType::kRegisterRegion:
      return CheckMessage<RegisterRegion>(meta);
    case FrameType::kForgetRegion:
      return CheckMessage<ForgetRegion>(meta);
    case FrameType::kClaim:
    case FrameType::kClaimReply:
    case FrameType::kWait:
    case FrameType::kWaitReply:
    case FrameType::kGetMap:
    case FrameType::kMapReply:
    case FrameType::kDrain:
    case FrameType::kDrainReply:
    case FrameType::kPeer:
    case FrameType::kPeerReply:
      return CheckFeatureType(type, meta);
    case FrameType::kRegionReply:
    case FrameType::kReleaseReply:
    case FrameType::kPing:
    case FrameType::kPong:
      return;  // no meta
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto types = static_cast<uint8_t>(kLastFrameType);
  CheckType(static_cast<FrameType>((data[0] - 1u) % types + 1), {data + 1, size - 1});
  return 0;
}
