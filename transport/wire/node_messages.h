// Of one node to another, and of an operator to a node (docs/wire_format.md, "Peer, PeerReply" and "Drain,
// DrainReply"). As in messages.h: Decode takes untrusted bytes; Encode writes what it is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit::wire {

// Of Hello and HelloReply: Peer and Drain are understood.
inline constexpr uint64_t kFeatureNodes = 1ull << 4;
inline constexpr uint32_t kMaxDrainTimeoutMs = 86'400'000;
inline constexpr uint32_t kMaxDrainMessageBytes = 1024;

// This connection is of another node, for whoever's blocks.
struct Peer {
  uint64_t node_id = 0;
  uint64_t epoch = 0;  // of the map that it has; 0 = none
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Peer> Decode(ByteView meta);
};

struct PeerReply {
  uint64_t epoch = 0;  // of the map of the node that answers; 0 = none
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<PeerReply> Decode(ByteView meta);
};

enum class DrainAction : uint8_t { kTell = 0, kBegin = 1, kCancel = 2 };
inline constexpr DrainAction kLastDrainAction = DrainAction::kCancel;

struct Drain {
  DrainAction action = DrainAction::kTell;
  bool exit = false;         // kBegin: the process ends once the node has left
  uint32_t timeout_ms = 0;   // kBegin: 1 to kMaxDrainTimeoutMs; otherwise 0
  uint64_t bytes_per_s = 0;  // kBegin: of all shards together; 0 = no limit
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Drain> Decode(ByteView meta);
};

enum class DrainState : uint8_t { kNone = 0, kMoving = 1, kLeft = 2, kCancelled = 3, kFailed = 4 };
inline constexpr DrainState kLastDrainState = DrainState::kFailed;
// "none", "moving", "left", "cancelled", "failed".
const char* DrainStateName(DrainState state);

struct DrainCount {
  uint64_t blocks = 0;
  uint64_t bytes = 0;  // of their stored payload
  friend bool operator==(const DrainCount&, const DrainCount&) = default;
};

// What became of a node's blocks so far. What is not in one of the four last is still to come.
struct DrainProgress {
  DrainCount total;     // had when it began
  DrainCount moved;     // stored at their next owners
  DrainCount present;   // were there already
  DrainCount unwanted;  // worth less than what is there
  DrainCount lost;      // gone meanwhile, unreadable, or not taken by anybody
  friend bool operator==(const DrainProgress&, const DrainProgress&) = default;
};

struct DrainReply {
  DrainState state = DrainState::kNone;
  bool timed_out = false;
  uint32_t elapsed_ms = 0;
  DrainProgress progress;
  std::string message;  // for people; at most kMaxDrainMessageBytes, longer ones are cut
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<DrainReply> Decode(ByteView meta);
};

}  // namespace incipit::wire
