// The header of every active message on the ucx lane. docs/wire_format.md, "On the ucx lane".
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"

namespace incipit {

// Names one connection in every message of both directions. Random, made by the client and told to nobody else: UCX
// says only which endpoint a peer *claims* to be.
using UcxToken = std::array<uint8_t, 16>;

enum class UcxMessageKind : uint8_t {
  kOpen = 1,   // client to server, the first: binds the token to the endpoint it came by. No data
  kBytes = 2,  // the next bytes of the stream: its data
  kAck = 3,    // no data; only says what was taken
  kEnd = 4,    // no data; `sequence` messages of kBytes were sent in all, and no more come
};

struct UcxMessage {
  static constexpr size_t kHeaderBytes = 48;
  static constexpr uint16_t kActiveMessageId = 0x1c;
  static constexpr size_t kMaxEagerBytes = 32 << 10;  // more travels by rendezvous
  static constexpr size_t kMaxBytes = 4 << 20;        // of one message
  static constexpr uint64_t kWindow = 128;            // messages sent and not yet taken, at most
  static constexpr uint64_t kAckEvery = 32;           // messages taken before the peer is told, at most

  UcxMessageKind kind = UcxMessageKind::kBytes;
  UcxToken token{};
  uint64_t sequence = 0;  // of kBytes in its direction, from 0; of kEnd how many there were; 0 for the others
  uint64_t taken = 0;     // messages of kBytes that the sender of this one has taken from its peer

  std::array<uint8_t, kHeaderBytes> Encode() const;
  // InvalidArgument: not such a header, or one with a value that is not allowed. DataLoss: damaged.
  static absl::StatusOr<UcxMessage> Decode(ByteView header);
  friend bool operator==(const UcxMessage&, const UcxMessage&) = default;
};

}  // namespace incipit
