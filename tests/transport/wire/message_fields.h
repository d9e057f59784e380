// Field by field comparison of messages, so that a field that an encoder forgets is noticed.
#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "transport/wire/claim_messages.h"
#include "transport/wire/map_messages.h"
#include "transport/wire/messages.h"
#include "transport/wire/node_messages.h"

namespace incipit::wire {

inline bool Same(const KeyRef& a, const KeyRef& b) {
  return std::tie(a.group, a.part, a.depth_tokens) == std::tie(b.group, b.part, b.depth_tokens) &&
         std::ranges::equal(a.key, b.key);
}
inline bool Same(const KeyBatch& a, const KeyBatch& b) {
  return std::ranges::equal(a, b, [](const KeyRef& x, const KeyRef& y) { return Same(x, y); });
}
inline bool Same(const Hello& a, const Hello& b) {
  const auto fields = [](const Hello& m) {
    return std::tie(m.min_version, m.max_version, m.shard, m.features, m.client_id, m.tenant, m.client_name);
  };
  return fields(a) == fields(b);
}
inline bool Same(const HelloReply& a, const HelloReply& b) {
  const auto fields = [](const HelloReply& m) {
    return std::tie(m.version, m.shard, m.shard_count, m.features, m.node_id, m.incarnation, m.placement_seed,
                    m.max_batch_keys, m.max_inflight_requests, m.max_frame_payload_bytes, m.node_name);
  };
  return fields(a) == fields(b);
}
inline bool Same(const OpenNamespace& a, const OpenNamespace& b) { return a.model == b.model && a.layout == b.layout; }
inline bool Same(const OpenNamespaceReply& a, const OpenNamespaceReply& b) { return a.namespace_id == b.namespace_id; }
inline bool Same(const Match& a, const Match& b) {
  return std::tie(a.namespace_id, a.stamp_ns, a.lease_ms) == std::tie(b.namespace_id, b.stamp_ns, b.lease_ms) &&
         Same(a.keys, b.keys);
}
inline bool Same(const MatchReply& a, const MatchReply& b) {
  return std::tie(a.lease_id, a.lease_ms, a.presence) == std::tie(b.lease_id, b.lease_ms, b.presence);
}
inline bool Same(const Load& a, const Load& b) {
  const auto fields = [](const Load& m) {
    return std::tie(m.namespace_id, m.stamp_ns, m.deadline_ms, m.first_segment, m.segment_count);
  };
  return fields(a) == fields(b) && Same(a.keys, b.keys);
}
inline bool Same(const LoadedBlock& a, const LoadedBlock& b) {
  const auto fields = [](const LoadedBlock& m) { return std::tie(m.index, m.status, m.tier, m.codec, m.segments); };
  return fields(a) == fields(b);
}
inline bool Same(const LoadReply& a, const LoadReply& b) {
  return std::ranges::equal(a.blocks, b.blocks, [](const LoadedBlock& x, const LoadedBlock& y) { return Same(x, y); });
}
inline bool Same(const Offer& a, const Offer& b) {
  return std::tie(a.namespace_id, a.stamp_ns) == std::tie(b.namespace_id, b.stamp_ns) && Same(a.keys, b.keys);
}
inline bool Same(const StoredBlock& a, const StoredBlock& b) {
  const auto same_sizes = [](const Segment& x, const Segment& y) {  // checksums travel in the payload
    return x.stored_bytes == y.stored_bytes && x.raw_bytes == y.raw_bytes;
  };
  return Same(a.key, b.key) && a.codec == b.codec && std::ranges::equal(a.segments, b.segments, same_sizes);
}
inline bool Same(const Store& a, const Store& b) {
  return std::tie(a.namespace_id, a.stamp_ns) == std::tie(b.namespace_id, b.stamp_ns) &&
         std::ranges::equal(a.blocks, b.blocks, [](const StoredBlock& x, const StoredBlock& y) { return Same(x, y); });
}
inline bool Same(const Touch& a, const Touch& b) {
  const auto fields = [](const Touch& m) { return std::tie(m.namespace_id, m.stamp_ns, m.ttl_ms, m.next_use_ms); };
  return fields(a) == fields(b) && Same(a.keys, b.keys);
}
inline bool Same(const Remove& a, const Remove& b) { return a.namespace_id == b.namespace_id && Same(a.keys, b.keys); }
inline bool Same(const StatusReply& a, const StatusReply& b) { return a.statuses == b.statuses; }
inline bool Same(const Release& a, const Release& b) { return a.id == b.id; }
inline bool Same(const StatsReply& a, const StatsReply& b) { return a.values == b.values; }
inline bool Same(const Error& a, const Error& b) {
  return std::tie(a.code, a.retry_after_us, a.message) == std::tie(b.code, b.retry_after_us, b.message);
}
inline bool Same(const Claim& a, const Claim& b) {
  const auto fields = [](const Claim& m) { return std::tie(m.namespace_id, m.claim_ms, m.claim_id); };
  return fields(a) == fields(b) && Same(a.keys, b.keys);
}
inline bool Same(const ClaimReply& a, const ClaimReply& b) {
  const auto fields = [](const ClaimReply& m) { return std::tie(m.claim_id, m.claim_ms, m.computing_ms, m.states); };
  return fields(a) == fields(b);
}
inline bool Same(const Wait& a, const Wait& b) {
  return std::tie(a.namespace_id, a.deadline_ms) == std::tie(b.namespace_id, b.deadline_ms) && Same(a.keys, b.keys);
}
inline bool Same(const StateRun& a, const StateRun& b) {
  return std::tie(a.first, a.keys, a.state) == std::tie(b.first, b.keys, b.state);
}
inline bool Same(const WaitReply& a, const WaitReply& b) {
  return a.wait_id == b.wait_id &&
         std::ranges::equal(a.runs, b.runs, [](const StateRun& x, const StateRun& y) { return Same(x, y); });
}
inline bool Same(const GetMap& a, const GetMap& b) {
  return std::tie(a.known_epoch, a.wait_ms) == std::tie(b.known_epoch, b.wait_ms);
}
inline bool Same(const MapReply& a, const MapReply& b) { return std::tie(a.epoch, a.map) == std::tie(b.epoch, b.map); }
inline bool Same(const Peer& a, const Peer& b) { return std::tie(a.node_id, a.epoch) == std::tie(b.node_id, b.epoch); }
inline bool Same(const PeerReply& a, const PeerReply& b) { return a.epoch == b.epoch; }
inline bool Same(const Drain& a, const Drain& b) {
  return std::tie(a.action, a.exit, a.timeout_ms, a.bytes_per_s) ==
         std::tie(b.action, b.exit, b.timeout_ms, b.bytes_per_s);
}
inline bool Same(const DrainReply& a, const DrainReply& b) {
  return std::tie(a.state, a.timed_out, a.elapsed_ms, a.progress, a.message) ==
         std::tie(b.state, b.timed_out, b.elapsed_ms, b.progress, b.message);
}

template <typename Message>
std::vector<uint8_t> Encoded(const Message& message) {
  std::vector<uint8_t> out;
  message.Encode(&out);
  return out;
}

}  // namespace incipit::wire
