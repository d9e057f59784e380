#include "tests/conformance/rogue_mind.h"

#include <algorithm>
#include <cstring>

#include "tests/support/blocks.h"
#include "transport/wire/auth_messages.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/shared_messages.h"

namespace incipit::conformance {
namespace {

using wire::FrameType;

// Random bytes for lengths: few, many, none.
constexpr size_t kNoiseBytes[] = {0, 1, 7, 8, 47, 48, 49, 300, 4096};

template <typename Message>
Attempt Of(FrameType type, const Message& message) {
  Attempt attempt;
  attempt.header.type = type;
  message.Encode(&attempt.meta);
  return attempt;
}

}  // namespace

uint64_t RogueMind::Any() {
  constexpr uint64_t kEdges[] = {0,          1,          2,          255,        256,           65535,
                                 65536,      1u << 20,   0x7fffffff, 0x80000000, 0xffffffff,    1ull << 32,
                                 1ull << 40, 1ull << 62, 1ull << 63, UINT64_MAX, UINT64_MAX - 1};
  return Pick(2) == 0 ? random_->Next() >> Pick(64) : kEdges[Pick(std::size(kEdges))];
}

wire::KeyBatch RogueMind::Keys() {
  wire::KeyBatch keys;
  const uint64_t count = Pick(12) + 1;
  for (uint64_t i = 0; i < count; ++i) {
    keys.push_back({.group = static_cast<GroupIndex>(Pick(8) == 0 ? Pick(4) : 0),
                    .part = static_cast<uint16_t>(Pick(8) == 0 ? Pick(4) : 0),
                    .depth_tokens = static_cast<uint32_t>(Pick(4) == 0 ? Any() : 16 * i),
                    .key = loot_->keys[Pick(loot_->keys.size())]});
  }
  return keys;
}

std::vector<uint8_t> RogueMind::LoadMeta(uint32_t own, size_t* keys) {
  wire::Load load;
  load.namespace_id = Namespace(own);
  load.stamp_ns = Any();
  load.deadline_ms = static_cast<uint32_t>(Pick(2) == 0 ? 0 : Any());
  if (Pick(4) == 0) {
    load.first_segment = static_cast<uint16_t>(Any());
    load.segment_count = static_cast<uint16_t>(Any());
  }
  load.keys = Keys();
  if (keys != nullptr) *keys = load.keys.size();
  std::vector<uint8_t> meta;
  load.Encode(&meta);
  return meta;
}

Attempt RogueMind::Lookup(uint32_t own) {
  const uint32_t space = Namespace(own);
  switch (Pick(8)) {
    case 0:
      return Of(FrameType::kMatch, wire::Match{.namespace_id = space,
                                               .stamp_ns = Any(),
                                               .lease_ms = static_cast<uint32_t>(Pick(2) * Any()),
                                               .keys = Keys()});
    case 1:
      return Of(FrameType::kOffer, wire::Offer{.namespace_id = space, .stamp_ns = Any(), .keys = Keys()});
    case 2:
      return Of(FrameType::kTouch, wire::Touch{.namespace_id = space,
                                               .stamp_ns = Any(),
                                               .ttl_ms = static_cast<uint32_t>(Any()),
                                               .next_use_ms = static_cast<uint32_t>(Any()),
                                               .keys = Keys()});
    case 3:
      return Of(FrameType::kRemove, wire::Remove{.namespace_id = space, .keys = Keys()});
    case 4:
      return Of(FrameType::kClaim, wire::Claim{.namespace_id = space,
                                               .claim_ms = static_cast<uint32_t>(Any()),
                                               .claim_id = Pick(2) == 0 ? 0 : Id(),
                                               .keys = Keys()});
    case 5:  // Short: its answer is what the rogue waits for.
      return Of(FrameType::kWait, wire::Wait{.namespace_id = space, .deadline_ms = 1, .keys = Keys()});
    default: {
      Attempt attempt;
      attempt.header.type = FrameType::kLoad;
      attempt.meta = LoadMeta(own);
      return attempt;
    }
  }
}

// Blocks of its own making under the victim's keys: they may be stored, as the rogue's.
Attempt RogueMind::StoreUnderTheirKeys(uint32_t own) {
  wire::Store store{.namespace_id = Namespace(own), .stamp_ns = Any(), .blocks = {}};
  Attempt attempt;
  for (const wire::KeyRef& key : Keys()) {
    wire::StoredBlock block;
    block.key = key;
    const std::vector<uint8_t> bytes(size_t{loot_->segment_bytes} * loot_->segments, 0xee);
    for (uint16_t i = 0; i < loot_->segments; ++i) {
      const ByteView segment(bytes.data(), loot_->segment_bytes);
      block.segments.push_back({loot_->segment_bytes, loot_->segment_bytes, Xxh3Of(segment)});
    }
    testing::AppendStored(bytes, block.segments, &attempt.payload);
    if (Pick(6) == 0) {  // a lie about a length, or a checksum that does not fit
      Segment& segment = block.segments[Pick(block.segments.size())];
      if (Pick(2) == 0) segment.stored_bytes = static_cast<uint32_t>(Any());
      if (Pick(2) == 0) segment.raw_bytes = static_cast<uint32_t>(Any());
      attempt.payload[attempt.payload.size() - 1 - Pick(std::min<size_t>(attempt.payload.size(), 64))] ^= 1;
    }
    store.blocks.push_back(std::move(block));
  }
  attempt.header.type = FrameType::kStore;
  store.Encode(&attempt.meta);
  return attempt;
}

Attempt RogueMind::Session(uint32_t own) {
  switch (Pick(7)) {
    case 0:
      return Of(FrameType::kOpenNamespace, wire::OpenNamespace{"model", loot_->layout});
    case 1:
      return Of(FrameType::kOpenShared,
                wire::OpenShared{.owner = "victim", .model = Pick(2) == 0 ? "model" : "*", .layout = loot_->layout});
    case 2: {
      wire::Hello hello;
      hello.tenant = "victim";
      return Of(FrameType::kHello, hello);
    }
    case 3:
      return Of(FrameType::kProof, wire::Proof());
    case 4:
      return Of(FrameType::kForgetRegion, wire::ForgetRegion{static_cast<uint32_t>(Any())});
    case 5:
      return Of(FrameType::kRegisterRegion, wire::RegisterRegion{.region_id = own, .bytes = Any()});
    default:
      return Of(FrameType::kRelease, wire::Release{Id()});
  }
}

Attempt RogueMind::Replay() {
  Attempt attempt;
  std::tie(attempt.header, attempt.meta) = loot_->frames[Pick(loot_->frames.size())];
  return attempt;
}

void RogueMind::Damage(Attempt* attempt) {
  std::vector<uint8_t>& meta = attempt->meta;
  switch (Pick(8)) {
    case 0:  // A number somewhere becomes another.
      if (meta.size() >= 8) {
        const uint64_t value = Any();
        const size_t bytes = size_t{1} << Pick(4);
        std::memcpy(meta.data() + Pick(meta.size() - bytes + 1), &value, bytes);
      }
      break;
    case 1:
      if (!meta.empty()) meta[Pick(meta.size())] ^= static_cast<uint8_t>(1u << Pick(8));
      break;
    case 2:
      meta.resize(Pick(meta.size() + 1));
      break;
    case 3:
      meta.resize(meta.size() + Pick(40) + 1, static_cast<uint8_t>(random_->Next()));
      break;
    case 4:
      attempt->header.type = static_cast<FrameType>(Pick(static_cast<uint64_t>(wire::kLastFrameType)) + 1);
      break;
    case 5:
      attempt->header.flags = static_cast<uint16_t>(Any());
      break;
    case 6:
      attempt->header.epoch = Any();
      break;
    default:
      attempt->header.request_id = Any();
  }
}

Attempt RogueMind::Next(uint32_t own) {
  Attempt attempt;
  const uint64_t kind = Pick(100);
  if (kind == 0) {  // No frame at all.
    attempt.is_noise = true;
    attempt.payload.resize(kNoiseBytes[Pick(std::size(kNoiseBytes))]);
    random_->Fill(attempt.payload);
    return attempt;
  }
  if (kind < 55)
    attempt = Lookup(own);
  else if (kind < 65)
    attempt = StoreUnderTheirKeys(own);
  else if (kind < 80)
    attempt = Session(own);
  else
    attempt = Replay();
  if (attempt.header.request_id == 0) attempt.header.request_id = Pick(4) == 0 ? Any() : Pick(1000) + 1;
  for (uint64_t times = Pick(3); times > 0; --times) Damage(&attempt);
  attempt.header.meta_bytes = static_cast<uint32_t>(attempt.meta.size());
  attempt.header.payload_bytes = attempt.payload.size();
  if (Pick(100) == 0) attempt.header.payload_bytes = Any() % wire::kMaxFramePayloadBytes;
  if (Pick(100) == 0) attempt.sent_bytes = Pick(wire::kFrameHeaderBytes + attempt.meta.size() + attempt.payload.size());
  return attempt;
}

}  // namespace incipit::conformance
