// Looks at every byte that UCX's tcp reads before UCX does.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace incipit {

// UCX's tcp takes what a peer sends for true: a PUT is written to whatever address it names, and a wrong length ends
// the process. No setting forbids that. libucs reads and writes its sockets through three entries of its table of
// functions (recv, send, sendmsg); these are pointed at ours, which check (UcxWatchedSocket), and end a connection
// whose peer breaks the rules. Nothing else of the process is touched. See docs/decisions/013-ucx-tcp-is-read-first.md.
//
// Process-wide, any thread, for good.
class UcxSocketGuard {
 public:
  // Once for the process; libucs must be loaded. Unavailable: not UCX 1.13, whose frames are known, or its table is not
  // as expected; then UCX's tcp must not be used.
  // `may_wireup`: contexts with more than tcp are made, whose endpoints agree on transports by messages of their own.
  static absl::Status Install(bool may_wireup);
  // Connections that were ended for what their peer sent.
  static uint64_t refused();
};

}  // namespace incipit
