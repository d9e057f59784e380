#include "transport/wire/protocol_version.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace incipit::wire {

absl::StatusOr<uint16_t> NegotiateVersion(const Hello& hello) {
  const uint16_t highest = std::min(hello.max_version, kProtocolVersion);
  if (highest >= std::max(hello.min_version, kMinProtocolVersion)) return highest;
  return absl::FailedPreconditionError(absl::StrCat("protocol version: the client speaks ", hello.min_version, " to ",
                                                    hello.max_version, ", the server speaks ", kMinProtocolVersion,
                                                    " to ", kProtocolVersion, ": upgrade the older of the two"));
}

}  // namespace incipit::wire
