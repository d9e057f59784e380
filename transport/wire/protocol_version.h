// Choice of the protocol version that both ends of a connection speak.
#pragma once

#include "absl/status/statusor.h"
#include "transport/wire/messages.h"

namespace incipit::wire {

// The protocol versions that this build speaks.
inline constexpr uint16_t kMinProtocolVersion = 1;
static_assert(kMinProtocolVersion <= kProtocolVersion);

// For servers: the highest version in both the client's range and this build's. FailedPrecondition, naming both
// ranges, if there is none; the server then answers Error and closes the connection.
absl::StatusOr<uint16_t> NegotiateVersion(const Hello& hello);

}  // namespace incipit::wire
