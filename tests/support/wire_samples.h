// One well-formed value of each message, with every field set to something telling. Shared by golden files and fuzz
// seeds: change a value here and the golden files no longer match.
#pragma once

#include <array>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "transport/wire/auth_messages.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/map_messages.h"
#include "transport/wire/messages.h"
#include "transport/wire/node_messages.h"
#include "transport/wire/shared_messages.h"

namespace incipit::wire::samples {

inline ByteView KeyBytes(std::string_view key) { return AsBytes(key); }

// Three runs: two keys of group 0, one of group 1, one with another length and part.
inline KeyBatch Keys() {
  return {{0, 0, 0, KeyBytes("aaaa")},
          {0, 0, 64, KeyBytes("bbbb")},
          {1, 0, 64, KeyBytes("cccc")},
          {1, 3, 128, KeyBytes("0123456789abcdef")}};
}
inline std::vector<Segment> Segments() { return {{1000, 1000, 0x0102030405060708}, {2000, 4000, 0x1112131415161718}}; }

inline Hello SampleHello() {
  return {.min_version = 1,
          .max_version = 3,
          .shard = 2,
          .features = 0x8000000000000001,
          .client_id = 0x1122334455667788,
          .tenant = "acme",
          .client_name = "worker-7"};
}
inline HelloReply SampleHelloReply() {
  HelloReply reply;
  reply.version = 1;
  reply.shard = 2;
  reply.shard_count = 4;
  reply.features = 1;
  reply.node_id = 0xa1a2a3a4a5a6a7a8;
  reply.incarnation = 99;
  std::iota(reply.placement_seed.begin(), reply.placement_seed.end(), uint8_t{0xc0});
  reply.max_batch_keys = 16384;
  reply.max_inflight_requests = 64;
  reply.max_frame_payload_bytes = 64 << 20;
  reply.node_name = "node-1";
  return reply;
}
inline OpenNamespace SampleOpenNamespace() { return {"deepseek-v3", {1, 2, 3, 4, 5}}; }
inline OpenNamespaceReply SampleOpenNamespaceReply() { return {7}; }
inline Match SampleMatch() { return {7, 1000, 5000, Keys()}; }
// The worked example of docs/wire_format.md.
inline Match ExampleMatch() { return {7, 1000, 5000, {Keys()[0], Keys()[1]}}; }
inline MatchReply SampleMatchReply() {
  return {0x77, 4000, {Presence::kMiss, Presence::kRam, Presence::kNvme, Presence::kRam}};
}
inline Load SampleLoad() { return {7, 1000, 250, 1, 2, Keys()}; }
inline LoadReply SampleLoadReply() {
  LoadReply reply;
  reply.blocks.push_back({2, BlockStatus::kOk, Presence::kNvme, Codec::kRaw, Segments()});
  reply.blocks.push_back({0, BlockStatus::kMiss, Presence::kMiss, Codec::kRaw, {}});
  reply.blocks.push_back({1, BlockStatus::kOk, Presence::kRam, Codec::kRaw, {{50, 50, 5}}});
  reply.blocks.push_back({3, BlockStatus::kExpired, Presence::kMiss, Codec::kRaw, {}});
  return reply;
}
inline Offer SampleOffer() { return {7, 1000, Keys()}; }
inline Store SampleStore() {
  return {7, 1000, {{Keys()[1], Codec::kRaw, Segments()}, {Keys()[3], Codec::kRaw, {{50, 50, 5}}}}};
}
inline Touch SampleTouch() { return {7, 1000, 60'000, 5'000, Keys()}; }
inline Remove SampleRemove() { return {7, Keys()}; }
inline StatusReply SampleStatusReply() {
  StatusReply reply;
  for (int status = 0; status <= static_cast<int>(kLastBlockStatus); ++status) {
    reply.statuses.push_back(static_cast<BlockStatus>(status));
  }
  return reply;
}
inline Release SampleRelease() { return {0x77}; }
inline Claim SampleClaim() { return {7, 5000, 0, Keys()}; }
inline Claim SampleRenewal() { return {7, 5000, kClaimIdBit | 9, {}}; }
inline ClaimReply SampleClaimReply() {
  return {
      kClaimIdBit | 9, 4000, 250, {BlockState::kClaimed, BlockState::kComputing, BlockState::kNvme, BlockState::kFree}};
}
inline Wait SampleWait() { return {7, 30'000, Keys()}; }
inline WaitReply SampleWaitReply() {
  return {kWaitIdBit | 5, {{0, 3, BlockState::kComputing}, {3, 1, BlockState::kRam}, {0, 1, BlockState::kFree}}};
}
inline StatsReply SampleStatsReply() { return {{{"blocks", 12}, {"ram_bytes", 1ull << 40}}}; }
inline Error SampleError() { return {absl::StatusCode::kResourceExhausted, 1500, "too many requests in flight"}; }

inline Challenge SampleChallenge() {
  Challenge challenge;
  std::iota(challenge.server_nonce.begin(), challenge.server_nonce.end(), uint8_t{0x20});
  return challenge;
}
inline Proof SampleProof() {
  Proof proof;
  std::iota(proof.client_nonce.begin(), proof.client_nonce.end(), uint8_t{0x40});
  std::iota(proof.proof.begin(), proof.proof.end(), uint8_t{0x60});
  return proof;
}
inline ProofReply SampleProofReply() {
  ProofReply reply;
  std::iota(reply.proof.begin(), reply.proof.end(), uint8_t{0x80});
  SampleHelloReply().Encode(&reply.hello_reply);
  return reply;
}
inline OpenShared SampleOpenShared() { return {"acme", "deepseek-v3", {1, 2, 3, 4, 5}}; }
inline RegisterRegion SampleRegisterRegion() { return {3, RegionKind::kMemory, 8ull << 30}; }
inline ForgetRegion SampleForgetRegion() { return {3}; }
inline GetMap SampleGetMap() { return {6, 10'000}; }
inline MapReply SampleMapReply() { return {7, R"({"format": "incipit-cluster-map"})"}; }
inline Drain SampleDrain() { return {DrainAction::kBegin, true, 600'000, 1'000'000'000}; }
inline DrainReply SampleDrainReply() {
  return {
      DrainState::kMoving, true, 1500, {{100, 1 << 20}, {40, 400'000}, {3, 3000}, {2, 2000}, {1, 1000}}, "to node 2"};
}
inline Peer SamplePeer() { return {0xa1, 7}; }
inline PeerReply SamplePeerReply() { return {8}; }
inline SharedPlaces SampleSharedPlaces() { return {.slot = 17, .pieces = {{3, 4096, 1ull << 32}, {4, 100, 0}}}; }

// A whole frame without its payload, as it would travel with request id 2 and epoch 0x0e.
inline std::vector<uint8_t> Frame(FrameType type, const std::vector<uint8_t>& meta, uint64_t payload_bytes = 0) {
  const FrameHeader header{.type = type,
                           .flags = IsReply(type) ? kFrameFlagLast : uint16_t{0},
                           .request_id = 2,
                           .epoch = 0x0e,
                           .meta_bytes = static_cast<uint32_t>(meta.size()),
                           .payload_bytes = payload_bytes};
  const auto encoded = header.Encode(meta);
  std::vector<uint8_t> frame(encoded.begin(), encoded.end());
  frame.insert(frame.end(), meta.begin(), meta.end());
  return frame;
}

struct NamedFrame {
  std::string name;
  FrameType type;
  std::vector<uint8_t> bytes;
};

// Every message as a frame.
inline std::vector<NamedFrame> AllFrames() {
  std::vector<NamedFrame> frames;
  const auto add = [&](std::string name, FrameType type, const auto& message, uint64_t payload_bytes = 0) {
    std::vector<uint8_t> meta;
    message.Encode(&meta);
    frames.push_back({std::move(name), type, Frame(type, meta, payload_bytes)});
  };
  add("hello", FrameType::kHello, SampleHello());
  add("hello_reply", FrameType::kHelloReply, SampleHelloReply());
  add("open_namespace", FrameType::kOpenNamespace, SampleOpenNamespace());
  add("open_namespace_reply", FrameType::kOpenNamespaceReply, SampleOpenNamespaceReply());
  add("match", FrameType::kMatch, SampleMatch());
  add("match_reply", FrameType::kMatchReply, SampleMatchReply());
  add("load", FrameType::kLoad, SampleLoad());
  add("load_reply", FrameType::kLoadReply, SampleLoadReply(), SampleLoadReply().PayloadBytes());
  add("offer", FrameType::kOffer, SampleOffer());
  add("offer_reply", FrameType::kOfferReply, SampleStatusReply());
  add("store", FrameType::kStore, SampleStore(), SampleStore().PayloadBytes());
  add("store_reply", FrameType::kStoreReply, SampleStatusReply());
  add("touch", FrameType::kTouch, SampleTouch());
  add("touch_reply", FrameType::kTouchReply, SampleStatusReply());
  add("release", FrameType::kRelease, SampleRelease());
  add("remove", FrameType::kRemove, SampleRemove());
  add("remove_reply", FrameType::kRemoveReply, SampleStatusReply());
  add("stats_reply", FrameType::kStatsReply, SampleStatsReply());
  add("error", FrameType::kError, SampleError());
  add("challenge", FrameType::kChallenge, SampleChallenge());
  add("proof", FrameType::kProof, SampleProof());
  add("proof_reply", FrameType::kProofReply, SampleProofReply());
  add("open_shared", FrameType::kOpenShared, SampleOpenShared());
  add("claim", FrameType::kClaim, SampleClaim());
  add("claim_renewal", FrameType::kClaim, SampleRenewal());
  add("claim_reply", FrameType::kClaimReply, SampleClaimReply());
  add("wait", FrameType::kWait, SampleWait());
  add("wait_reply", FrameType::kWaitReply, SampleWaitReply());
  add("register_region", FrameType::kRegisterRegion, SampleRegisterRegion());
  add("forget_region", FrameType::kForgetRegion, SampleForgetRegion());
  add("get_map", FrameType::kGetMap, SampleGetMap());
  add("map_reply", FrameType::kMapReply, SampleMapReply());
  add("drain", FrameType::kDrain, SampleDrain());
  add("drain_reply", FrameType::kDrainReply, SampleDrainReply());
  add("peer", FrameType::kPeer, SamplePeer());
  add("peer_reply", FrameType::kPeerReply, SamplePeerReply());
  for (const auto& [name, type] : {std::pair{"release_reply", FrameType::kReleaseReply},
                                   {"region_reply", FrameType::kRegionReply},
                                   {"stats", FrameType::kStats},
                                   {"ping", FrameType::kPing},
                                   {"pong", FrameType::kPong}}) {
    frames.push_back({name, type, Frame(type, {})});
  }
  return frames;
}

}  // namespace incipit::wire::samples
