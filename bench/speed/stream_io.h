// Moving an exact number of bytes over a connected socket, in each of the ways that a ceiling tries.
#pragma once

#include "absl/status/status.h"
#include "bench/speed/stream_peer.h"

namespace incipit::bench {

// Unavailable: the connection ended or failed.
absl::Status ReceiveAll(int fd, StreamVariant variant, MutableBytes into);
absl::Status SendAll(int fd, StreamVariant variant, ByteView from);

}  // namespace incipit::bench
