// A small node that speaks the wire format from a script: it keeps blocks in a map, and tests make it misbehave.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cache/base/check.h"
#include "cache/base/xxh3.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"
#include "transport/wire/segment_table.h"

namespace incipit {

// One thread: the loop's. All shards share one address; a connection learns its shard from Hello.
class FakeNode {
 public:
  using Presence = wire::Presence;
  struct Connection {
    FrameChannel* channel = nullptr;
    uint16_t shard = 0;
    uint16_t asked_shard = 0;
    uint64_t number = 0;
  };
  // Gets every request first. True: it was dealt with (payload included), false: the usual answer.
  using Intercept = std::function<Task<bool>(Connection*, wire::FrameHeader, ByteView meta)>;
  struct Block {
    Codec codec = Codec::kRaw;
    std::vector<Segment> segments;
    std::vector<uint8_t> payload;
    Presence tier = Presence::kRam;
    uint32_t depth_tokens = 0;
  };
  // shard, group, part, key
  using BlockName = std::tuple<uint16_t, uint16_t, uint16_t, std::string>;

  uint16_t shard_count = 1;
  uint16_t any_shard = 0;  // who answers Hello for any shard
  uint64_t node_id = 77;
  uint64_t incarnation = 1;
  uint32_t max_batch_keys = wire::kMaxBatchKeys;
  uint64_t max_frame_payload_bytes = wire::kMaxFramePayloadBytes;
  size_t blocks_per_reply = 3;
  bool silent_hello = false;
  Intercept intercept;
  std::map<BlockName, Block> blocks;
  std::map<wire::FrameType, int> requests;
  std::set<uint64_t> leases;
  std::string tenant, model;

  FakeNode(Loop* loop, std::unique_ptr<Listener> listener)
      : loop_(loop), listener_(std::move(listener)), scope_(loop) {}

  void Start() { scope_.Spawn(AcceptAll()); }
  Task<void> Stop() {
    stopping_ = true;
    listener_->Close();
    for (Connection* connection : connections_) connection->channel->Close();
    co_await scope_.Join();
  }
  size_t connection_count() const { return connections_.size(); }
  uint64_t accepted() const { return accepted_; }

  static Task<absl::Status> Reply(Connection* connection, wire::FrameType type, uint64_t id, std::vector<uint8_t> meta,
                                  bool last = true, std::vector<iovec> payload = {}) {
    wire::FrameHeader header;
    header.type = type;
    header.flags = last ? wire::kFrameFlagLast : 0;
    header.request_id = id;
    absl::Status status = co_await connection->channel->Send(header, meta, payload);
    co_return status;
  }
  static Task<absl::Status> ReplyError(Connection* connection, uint64_t id, absl::StatusCode code,
                                       uint32_t retry_after_us = 0) {
    std::vector<uint8_t> meta;
    wire::Error{.code = code, .retry_after_us = retry_after_us, .message = "scripted"}.Encode(&meta);
    co_return co_await Reply(connection, wire::FrameType::kError, id, std::move(meta));
  }

 private:
  Task<void> AcceptAll() {
    while (true) {
      absl::StatusOr<std::unique_ptr<Stream>> stream = co_await listener_->Accept();
      if (!stream.ok()) co_return;
      ++accepted_;
      scope_.Spawn(Serve(*std::move(stream)));
    }
  }

  Task<void> Serve(std::unique_ptr<Stream> stream) {
    FrameChannel channel(std::move(stream));
    Connection connection{.channel = &channel, .number = accepted_};
    connections_.insert(&connection);
    while (!stopping_) {
      absl::StatusOr<IncomingFrame> frame = co_await channel.Receive();
      if (!frame.ok()) break;
      ++requests[frame->header.type];
      const std::vector<uint8_t> meta(frame->meta.begin(), frame->meta.end());
      bool done = false;
      if (intercept) done = co_await intercept(&connection, frame->header, meta);
      if (!done) co_await Answer(&connection, frame->header, meta);
    }
    channel.Close();
    connections_.erase(&connection);
  }

  Task<void> Answer(Connection* connection, wire::FrameHeader header, ByteView meta) {
    std::vector<uint8_t> out;
    const auto reply_type = static_cast<wire::FrameType>(static_cast<int>(header.type) + 1);
    switch (header.type) {
      case wire::FrameType::kHello:
        if (silent_hello) co_return;
        AnswerHello(connection, meta, &out);
        if (out.empty()) {
          co_await ReplyError(connection, header.request_id, absl::StatusCode::kInvalidArgument);
          co_return;
        }
        break;
      case wire::FrameType::kOpenNamespace:
        model = wire::OpenNamespace::Decode(meta)->model;
        wire::OpenNamespaceReply{.namespace_id = NamespaceId(*connection)}.Encode(&out);
        break;
      case wire::FrameType::kMatch:
        AnswerMatch(connection, meta, &out);
        break;
      case wire::FrameType::kLoad:
        co_await AnswerLoad(connection, header, meta);
        co_return;
      case wire::FrameType::kStore:
        co_await AnswerStore(connection, header, meta);
        co_return;
      case wire::FrameType::kOffer:
        AnswerStatuses(connection, wire::Offer::Decode(meta)->keys, &out, [](bool present, const BlockName&) {
          return present ? wire::BlockStatus::kPresent : wire::BlockStatus::kWanted;
        });
        break;
      case wire::FrameType::kTouch:
        AnswerStatuses(connection, wire::Touch::Decode(meta)->keys, &out, [](bool present, const BlockName&) {
          return present ? wire::BlockStatus::kOk : wire::BlockStatus::kMiss;
        });
        break;
      case wire::FrameType::kRemove:
        AnswerStatuses(connection, wire::Remove::Decode(meta)->keys, &out, [this](bool, const BlockName& name) {
          return blocks.erase(name) > 0 ? wire::BlockStatus::kOk : wire::BlockStatus::kMiss;
        });
        break;
      case wire::FrameType::kRelease:
        leases.erase(wire::Release::Decode(meta)->id);
        break;
      case wire::FrameType::kStats: {
        wire::StatsReply stats;
        stats.values = {{"blocks", blocks.size()}, {"shard", connection->shard}};
        stats.Encode(&out);
        break;
      }
      default:
        break;
    }
    co_await Reply(connection, reply_type, header.request_id, std::move(out));
  }

  static uint32_t NamespaceId(const Connection& connection) { return static_cast<uint32_t>(1000 + connection.number); }
  void CheckNamespace(const Connection& connection, uint32_t id) {
    INCIPIT_CHECK(id == NamespaceId(connection), "the namespace id of another connection");
  }

  void AnswerHello(Connection* connection, ByteView meta, std::vector<uint8_t>* out) {
    const wire::Hello hello = *wire::Hello::Decode(meta);
    connection->asked_shard = hello.shard;
    if (hello.shard != wire::kAnyShard && hello.shard >= shard_count) return;
    connection->shard = hello.shard == wire::kAnyShard ? any_shard : hello.shard;
    tenant = hello.tenant;
    wire::HelloReply reply;
    reply.shard = connection->shard;
    reply.shard_count = shard_count;
    reply.node_id = node_id;
    reply.incarnation = incarnation;
    reply.placement_seed.fill(0x5a);
    reply.max_batch_keys = max_batch_keys;
    reply.max_frame_payload_bytes = max_frame_payload_bytes;
    reply.node_name = "fake";
    reply.Encode(out);
  }

  static BlockName NameOf(const Connection& connection, const wire::KeyRef& key) {
    return {connection.shard, key.group, key.part, std::string(AsText(key.key))};
  }

  void AnswerMatch(Connection* connection, ByteView meta, std::vector<uint8_t>* out) {
    const wire::Match match = *wire::Match::Decode(meta);
    CheckNamespace(*connection, match.namespace_id);
    wire::MatchReply reply;
    for (const wire::KeyRef& key : match.keys) {
      const auto found = blocks.find(NameOf(*connection, key));
      reply.presence.push_back(found == blocks.end() ? Presence::kMiss : found->second.tier);
    }
    if (match.lease_ms > 0) {
      reply.lease_id = next_lease_++;
      reply.lease_ms = match.lease_ms;
      leases.insert(reply.lease_id);
    }
    reply.Encode(out);
  }

  template <typename Judge>
  void AnswerStatuses(Connection* connection, const wire::KeyBatch& keys, std::vector<uint8_t>* out, Judge judge) {
    wire::StatusReply reply;
    for (const wire::KeyRef& key : keys) {
      const BlockName name = NameOf(*connection, key);
      reply.statuses.push_back(judge(blocks.contains(name), name));
    }
    reply.Encode(out);
  }

  Task<void> AnswerLoad(Connection* connection, wire::FrameHeader header, ByteView meta) {
    const wire::Load load = *wire::Load::Decode(meta);
    CheckNamespace(*connection, load.namespace_id);
    for (size_t begin = 0; begin < load.keys.size(); begin += blocks_per_reply) {
      const size_t end = std::min(load.keys.size(), begin + blocks_per_reply);
      wire::LoadReply reply;
      std::vector<iovec> payload;
      // Backwards: order within and over replies is the node's choice.
      for (size_t i = end; i > begin; --i) {
        reply.blocks.push_back(LoadBlock(*connection, load, static_cast<uint32_t>(i - 1), &payload));
      }
      std::vector<uint8_t> out;
      reply.Encode(&out);
      absl::Status sent = co_await Reply(connection, wire::FrameType::kLoadReply, header.request_id, std::move(out),
                                         end == load.keys.size(), std::move(payload));
      if (!sent.ok()) co_return;
    }
  }

  wire::LoadedBlock LoadBlock(const Connection& connection, const wire::Load& load, uint32_t index,
                              std::vector<iovec>* payload) {
    wire::LoadedBlock loaded{.index = index};
    const auto found = blocks.find(NameOf(connection, load.keys[index]));
    if (found == blocks.end()) return loaded;
    Block& block = found->second;
    loaded.status = wire::BlockStatus::kOk;
    loaded.tier = block.tier;
    loaded.codec = block.codec;
    uint64_t offset = 0;
    for (size_t i = 0; i < block.segments.size(); ++i) {
      const Segment& segment = block.segments[i];
      if (i >= load.first_segment && i - load.first_segment < load.segment_count) {
        loaded.segments.push_back(segment);
        payload->push_back({block.payload.data() + offset, segment.stored_bytes});
      }
      offset += segment.stored_bytes;
    }
    return loaded;
  }

  Task<void> AnswerStore(Connection* connection, wire::FrameHeader header, ByteView meta) {
    const wire::Store store = *wire::Store::Decode(meta);
    CheckNamespace(*connection, store.namespace_id);
    std::vector<uint8_t> payload(header.payload_bytes);
    const iovec piece{payload.data(), payload.size()};
    absl::Status received = co_await connection->channel->ReceivePayload({&piece, 1});
    if (!received.ok()) co_return;
    wire::StatusReply reply;
    uint64_t offset = 0;
    for (const wire::StoredBlock& stored : store.blocks) {
      Block block;
      block.codec = stored.codec;
      block.segments = stored.segments;
      block.depth_tokens = stored.key.depth_tokens;
      uint64_t table = offset + wire::StoredBytesOf(stored.segments);
      bool whole = true;
      uint64_t bytes = 0;
      for (Segment& segment : block.segments) {
        std::memcpy(&segment.checksum, payload.data() + table, sizeof(segment.checksum));
        table += sizeof(segment.checksum);
        const ByteView view(payload.data() + offset + bytes, segment.stored_bytes);
        whole &= Xxh3Of(view) == segment.checksum;
        bytes += segment.stored_bytes;
      }
      block.payload.assign(payload.begin() + static_cast<int64_t>(offset),
                           payload.begin() + static_cast<int64_t>(offset + bytes));
      offset = table;
      const BlockName name = NameOf(*connection, stored.key);
      if (!whole) {
        reply.statuses.push_back(wire::BlockStatus::kDamaged);
      } else if (const auto found = blocks.find(name); found != blocks.end()) {
        const bool same = found->second.payload == block.payload;
        reply.statuses.push_back(same ? wire::BlockStatus::kPresent : wire::BlockStatus::kConflict);
      } else {
        blocks[name] = std::move(block);
        reply.statuses.push_back(wire::BlockStatus::kOk);
      }
    }
    std::vector<uint8_t> out;
    reply.Encode(&out);
    co_await Reply(connection, wire::FrameType::kStoreReply, header.request_id, std::move(out));
  }

  Loop* loop_;
  std::unique_ptr<Listener> listener_;
  TaskScope scope_;
  std::set<Connection*> connections_;
  uint64_t accepted_ = 0;
  uint64_t next_lease_ = 1;
  bool stopping_ = false;
};

}  // namespace incipit
