// Receives the payload of one Store frame straight into the arena, verifies it, and publishes what is whole.
#pragma once

#include <vector>

#include "cache/shard/session.h"

namespace incipit {

// Takes the whole payload of the frame just received on the session's channel, then answers it. Per block: room is
// made, bytes land in their extents, every segment's checksum is verified, and only then can anybody find the block.
// An error return ends the connection; errors of the message itself are answered and return OK.
// `shared`: the blocks' bytes are copied from memory that the client shares, and hashed where they landed: what the
// client does to its memory meanwhile can only make the checksums differ.
Task<absl::Status> ReceiveStore(Session* session, uint64_t request_id, std::vector<uint8_t> meta, bool shared);

}  // namespace incipit
