// The meta of each message: plain structs with Encode (append to bytes) and Decode (from untrusted bytes).
// Decode answers InvalidArgument for anything truncated, over a limit, with unknown enum values or bytes left over,
// naming message, field, found and allowed. Decoded keys are views into the meta, which must outlive them.
// Encode writes what it is given and checks no limit: the peer's decoder refuses what is over one (texts over 65,535
// bytes are cut there, so that lengths stay true). Any thread; no state. docs/wire_format.md is the specification:
// change a field there first, raise kProtocolVersion, add golden files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/base/types.h"
#include "cache/format/record.h"
#include "transport/wire/frame.h"

namespace incipit::wire {

inline constexpr uint16_t kAnyShard = 0xffff;
inline constexpr uint16_t kAllSegments = 0xffff;
inline constexpr uint16_t kProtocolVersion = 1;
inline constexpr uint32_t kMaxStatsValues = 4096;
inline constexpr uint32_t kMaxErrorMessageBytes = 1024;

struct Hello {
  uint16_t min_version = kProtocolVersion;
  uint16_t max_version = kProtocolVersion;
  uint16_t shard = kAnyShard;  // the shard this connection is for
  uint64_t features = 0;       // bits the client understands: kFeature...
  uint64_t client_id = 0;      // becomes the writer id of what it stores
  std::string tenant;          // claimed; proven by credentials where the node has tenants, else "default"
  std::string client_name;     // for logs
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Hello> Decode(ByteView meta);
};

struct HelloReply {
  uint16_t version = kProtocolVersion;
  uint16_t shard = 0;
  uint16_t shard_count = 1;
  uint64_t features = 0;
  uint64_t node_id = 0;
  uint64_t incarnation = 0;                  // differs after each start of the node
  std::array<uint8_t, 16> placement_seed{};  // shard of a key: placement.h
  uint32_t max_batch_keys = kMaxBatchKeys;
  uint32_t max_inflight_requests = 0;  // per connection; more are answered busy
  uint64_t max_frame_payload_bytes = kMaxFramePayloadBytes;
  std::string node_name;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<HelloReply> Decode(ByteView meta);
};

struct OpenNamespace {
  std::string model;
  std::vector<uint8_t> layout;  // canonical encoding, at most kMaxLayoutBytes
  static constexpr size_t kMaxLayoutBytes = 16 * 1024;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<OpenNamespace> Decode(ByteView meta);
};
struct OpenNamespaceReply {
  uint32_t namespace_id = 0;  // meaningful on this connection only
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<OpenNamespaceReply> Decode(ByteView meta);
};

// One block named in a batch.
struct KeyRef {
  GroupIndex group = 0;
  uint16_t part = 0;
  uint32_t depth_tokens = 0;  // position of the block's first token; orders eviction
  ByteView key;               // 1..kMaxKeyBytes; a view
};
// On the wire: runs of keys that share group, part and key length (see the page), so a key costs its bytes plus four.
using KeyBatch = std::vector<KeyRef>;

struct Match {
  uint32_t namespace_id = 0;
  uint64_t stamp_ns = 0;  // request stamp: one value for all blocks of one request; 0 = let the server choose
  uint32_t lease_ms = 0;  // 0 = do not pin
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Match> Decode(ByteView meta);
};
enum class Presence : uint8_t { kMiss = 0, kRam = 1, kNvme = 2 };
inline constexpr uint64_t kFeatureHotCopies = 1ull << 5;
inline constexpr uint8_t kMaxHotCopies = 7;
inline constexpr uint64_t kFeatureTurns = 1ull << 8;  // with kFeatureHotCopies
struct MatchReply {
  uint64_t lease_id = 0;           // 0 = nothing is pinned
  uint32_t lease_ms = 0;           // granted, may be shorter than asked
  std::vector<Presence> presence;  // one per key, in request order
  // With kFeatureHotCopies, by key: how many copies beside it a block should have, since it is loaded so much; up to
  // kMaxHotCopies. Empty: none of them is hot.
  std::vector<uint8_t> copies;
  // With kFeatureTurns, by key, of hot blocks: a number that rises by one, modulo 256, with each answer that names the
  // block, so that readers can take turns at its copies. As long as `copies`, or empty: none are told.
  std::vector<uint8_t> turns;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<MatchReply> Decode(ByteView meta);
};

enum class BlockStatus : uint8_t {
  kOk = 0,        // load: hit, bytes follow. store: stored. remove: removed
  kMiss = 1,      // not here
  kPresent = 2,   // store, offer: same identity is already here
  kConflict = 3,  // store: here with different bytes; the first were kept
  kWanted = 4,    // offer: send it
  kBusy = 5,      // over a limit now; try later or elsewhere
  kDamaged = 6,   // failed verification and was dropped: a miss
  kIoError = 7,   // the device failed: a miss
  kExpired = 8,   // the deadline passed first: a miss
  kRejected = 9,  // does not fit the namespace's layout, or too large for this node
};
inline constexpr BlockStatus kLastBlockStatus = BlockStatus::kRejected;

struct Load {
  uint32_t namespace_id = 0;
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;  // from receipt; 0 = the server's default limit
  uint16_t first_segment = 0;
  uint16_t segment_count = kAllSegments;  // from first_segment; clipped to what the block has
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Load> Decode(ByteView meta);
};
struct LoadedBlock {
  uint32_t index = 0;  // position in the request's batch
  BlockStatus status = BlockStatus::kMiss;
  Presence tier = Presence::kMiss;  // where it came from
  Codec codec = Codec::kRaw;
  std::vector<Segment> segments;  // of the range asked for; payload carries them in order. Empty unless kOk
};
struct LoadReply {
  std::vector<LoadedBlock> blocks;  // in any order over all replies of a request; each index exactly once
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<LoadReply> Decode(ByteView meta);
  uint64_t PayloadBytes() const;
};

struct Offer {
  uint32_t namespace_id = 0;
  uint64_t stamp_ns = 0;
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Offer> Decode(ByteView meta);
};
inline constexpr size_t kSegmentChecksumBytes = 8;
struct StoredBlock {
  KeyRef key;
  Codec codec = Codec::kRaw;
  std::vector<Segment> segments;  // all segments of the block (of this part); their checksums travel in the payload
};
struct Store {
  uint32_t namespace_id = 0;
  uint64_t stamp_ns = 0;
  std::vector<StoredBlock> blocks;  // payload: for each its stored segments, then a checksum for each of them
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Store> Decode(ByteView meta);
  uint64_t PayloadBytes() const;
};
struct Touch {
  uint32_t namespace_id = 0;
  uint64_t stamp_ns = 0;
  uint32_t ttl_ms = 0;       // hint, 0 = none
  uint32_t next_use_ms = 0;  // hint, 0 = none
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Touch> Decode(ByteView meta);
};
struct Remove {
  uint32_t namespace_id = 0;
  KeyBatch keys;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Remove> Decode(ByteView meta);
};
// Answers Offer, Store, Touch and Remove: one status per key or block, in request order.
struct StatusReply {
  std::vector<BlockStatus> statuses;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<StatusReply> Decode(ByteView meta);
};

struct Release {
  uint64_t id = 0;  // of a lease, a claim or a wait
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Release> Decode(ByteView meta);
};

struct StatsReply {
  std::vector<std::pair<std::string, uint64_t>> values;  // metric name, value
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<StatsReply> Decode(ByteView meta);
};

struct Error {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  uint32_t retry_after_us = 0;  // with kResourceExhausted: when to try again
  std::string message;          // at most 1024 bytes; longer ones are cut
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Error> Decode(ByteView meta);
};
// kReleaseReply, kStats, kPing and kPong have empty meta.

}  // namespace incipit::wire
