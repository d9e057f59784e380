// Messages with random contents from a seed, all valid, for round trips and damage. Owns the keys that they refer to.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "cache/seams/random.h"
#include "transport/wire/claim_messages.h"
#include "transport/wire/map_messages.h"
#include "transport/wire/messages.h"
#include "transport/wire/node_messages.h"

namespace incipit::wire {

class RandomMessages {
 public:
  explicit RandomMessages(uint64_t seed) : random_(MakeSeededRandom(seed)) {}

  template <typename Message>
  Message Make();

  uint64_t Below(uint64_t bound) { return random_->Below(bound); }
  std::string Text(size_t min_bytes, size_t max_bytes) {
    std::string text(min_bytes + Below(max_bytes - min_bytes + 1), 0);
    random_->Fill({reinterpret_cast<uint8_t*>(text.data()), text.size()});
    return text;
  }
  KeyRef Key(size_t key_bytes) {
    keys_.push_back(Text(key_bytes, key_bytes));
    return {static_cast<GroupIndex>(Below(3)), static_cast<uint16_t>(Below(2)), Any<uint32_t>(), AsBytes(keys_.back())};
  }
  // Keys of few lengths, so that runs of all sizes come up.
  KeyBatch Keys() {
    KeyBatch keys;
    const size_t count = 1 + Below(40);
    while (keys.size() < count) {
      KeyRef key = Key(1 + Below(kMaxKeyBytes));
      const size_t run = 1 + Below(6);
      for (size_t i = 0; i < run && keys.size() < count; ++i) {
        KeyRef next = Key(key.key.size());
        next.group = key.group;
        next.part = key.part;
        keys.push_back(next);
      }
    }
    return keys;
  }
  std::vector<Segment> Segments() {
    std::vector<Segment> segments(1 + Below(8));
    for (Segment& segment : segments) {
      segment = {static_cast<uint32_t>(Below(100'000)), static_cast<uint32_t>(Below(200'000)), Any<uint64_t>()};
    }
    return segments;
  }

 private:
  template <typename T>
  T Any() {
    return static_cast<T>(random_->Next());
  }
  template <typename Enum>
  std::vector<Enum> Answers(Enum last) {
    std::vector<Enum> answers(1 + Below(50));
    for (Enum& answer : answers) answer = static_cast<Enum>(Below(static_cast<uint64_t>(last) + 1));
    return answers;
  }

  std::unique_ptr<Random> random_;
  std::deque<std::string> keys_;
};

template <>
inline Hello RandomMessages::Make() {
  Hello hello;
  hello.min_version = static_cast<uint16_t>(1 + Below(9));
  hello.max_version = static_cast<uint16_t>(hello.min_version + Below(9));
  hello.shard = Any<uint16_t>();
  hello.features = Any<uint64_t>();
  hello.client_id = Any<uint64_t>();
  hello.tenant = Text(1, kMaxNameBytes);
  hello.client_name = Text(0, kMaxNameBytes);
  return hello;
}
template <>
inline HelloReply RandomMessages::Make() {
  HelloReply reply;
  reply.version = static_cast<uint16_t>(1 + Below(9));
  reply.shard_count = static_cast<uint16_t>(1 + Below(UINT16_MAX));
  reply.shard = static_cast<uint16_t>(Below(reply.shard_count));
  reply.features = Any<uint64_t>();
  reply.node_id = Any<uint64_t>();
  reply.incarnation = Any<uint64_t>();
  random_->Fill(reply.placement_seed);
  reply.max_batch_keys = static_cast<uint32_t>(1 + Below(kMaxBatchKeys));
  reply.max_inflight_requests = Any<uint32_t>();
  reply.max_frame_payload_bytes = 1 + Below(kMaxFramePayloadBytes);
  reply.node_name = Text(0, kMaxNameBytes);
  return reply;
}
template <>
inline OpenNamespace RandomMessages::Make() {
  const std::string layout = Text(1, 300);
  return {Text(1, kMaxNameBytes), {layout.begin(), layout.end()}};
}
template <>
inline OpenNamespaceReply RandomMessages::Make() {
  return {Any<uint32_t>()};
}
template <>
inline Match RandomMessages::Make() {
  return {Any<uint32_t>(), Any<uint64_t>(), Any<uint32_t>(), Keys()};
}
template <>
inline MatchReply RandomMessages::Make() {
  return {Any<uint64_t>(), Any<uint32_t>(), Answers(Presence::kNvme)};
}
template <>
inline Load RandomMessages::Make() {
  const auto count = static_cast<uint16_t>(Below(2) == 0 ? kAllSegments : 1 + Below(kMaxSegments));
  return {Any<uint32_t>(), Any<uint64_t>(), Any<uint32_t>(), static_cast<uint16_t>(Below(kMaxSegments)), count, Keys()};
}
template <>
inline LoadReply RandomMessages::Make() {
  constexpr BlockStatus kMisses[] = {BlockStatus::kMiss,    BlockStatus::kBusy,    BlockStatus::kDamaged,
                                     BlockStatus::kIoError, BlockStatus::kExpired, BlockStatus::kRejected};
  LoadReply reply;
  reply.blocks.resize(Below(30));
  for (LoadedBlock& block : reply.blocks) {
    block.index = static_cast<uint32_t>(Below(kMaxBatchKeys));
    block.status = kMisses[Below(std::size(kMisses))];
    if (Below(3) == 0) continue;
    block.status = BlockStatus::kOk;
    block.tier = static_cast<Presence>(1 + Below(2));
    block.segments = Segments();
  }
  return reply;
}
template <>
inline Offer RandomMessages::Make() {
  return {Any<uint32_t>(), Any<uint64_t>(), Keys()};
}
template <>
inline Store RandomMessages::Make() {
  Store store{Any<uint32_t>(), Any<uint64_t>(), {}};
  for (const KeyRef& key : Keys()) store.blocks.push_back({key, Codec::kRaw, Segments()});
  return store;
}
template <>
inline Touch RandomMessages::Make() {
  return {Any<uint32_t>(), Any<uint64_t>(), Any<uint32_t>(), Any<uint32_t>(), Keys()};
}
template <>
inline Remove RandomMessages::Make() {
  return {Any<uint32_t>(), Keys()};
}
template <>
inline StatusReply RandomMessages::Make() {
  return {Answers(kLastBlockStatus)};
}
template <>
inline Release RandomMessages::Make() {
  return {Any<uint64_t>()};
}
template <>
inline StatsReply RandomMessages::Make() {
  StatsReply reply;
  for (size_t i = Below(20); i > 0; --i) reply.values.emplace_back(Text(1, kMaxNameBytes), Any<uint64_t>());
  return reply;
}
template <>
inline Error RandomMessages::Make() {
  return {static_cast<absl::StatusCode>(1 + Below(16)), Any<uint32_t>(), Text(0, kMaxErrorMessageBytes)};
}

template <>
inline Claim RandomMessages::Make() {
  if (Below(4) == 0) return {Any<uint32_t>(), static_cast<uint32_t>(1 + Below(UINT32_MAX)), 1 + Below(UINT64_MAX), {}};
  return {Any<uint32_t>(), static_cast<uint32_t>(1 + Below(UINT32_MAX)), 0, Keys()};
}
template <>
inline ClaimReply RandomMessages::Make() {
  return {Any<uint64_t>(), Any<uint32_t>(), Any<uint32_t>(), Answers(kLastBlockState)};
}
template <>
inline Wait RandomMessages::Make() {
  return {Any<uint32_t>(), static_cast<uint32_t>(1 + Below(UINT32_MAX)), Keys()};
}
template <>
inline WaitReply RandomMessages::Make() {
  constexpr BlockState kStates[] = {BlockState::kFree, BlockState::kRam, BlockState::kNvme, BlockState::kComputing};
  WaitReply reply{Any<uint64_t>(), {}};
  for (size_t i = Below(20); i > 0; --i) {
    const auto first = static_cast<uint32_t>(Below(kMaxBatchKeys));
    reply.runs.push_back({first, static_cast<uint32_t>(1 + Below(kMaxBatchKeys - first)), kStates[Below(4)]});
  }
  return reply;
}

template <>
inline GetMap RandomMessages::Make() {
  return {Any<uint64_t>(), static_cast<uint32_t>(Below(kMaxMapWaitMs + 1))};
}
template <>
inline MapReply RandomMessages::Make() {
  keys_.push_back(Text(0, 2000));
  return {1 + Below(UINT64_MAX), keys_.back()};
}
template <>
inline Peer RandomMessages::Make() {
  return {Any<uint64_t>(), Any<uint64_t>()};
}
template <>
inline PeerReply RandomMessages::Make() {
  return {Any<uint64_t>()};
}
template <>
inline Drain RandomMessages::Make() {
  const auto action = static_cast<DrainAction>(Below(3));
  if (action != DrainAction::kBegin) return {.action = action};
  return {action, Below(2) == 1, static_cast<uint32_t>(1 + Below(kMaxDrainTimeoutMs)), Any<uint64_t>()};
}
template <>
inline DrainReply RandomMessages::Make() {
  const auto count = [this] { return DrainCount{Any<uint64_t>(), Any<uint64_t>()}; };
  DrainReply reply{static_cast<DrainState>(Below(5)), Below(2) == 1, Any<uint32_t>(), {}, Text(0, 1000)};
  reply.progress = {count(), count(), count(), count(), count()};
  return reply;
}

}  // namespace incipit::wire
