// Waiting for a node's background work, by asking it for its counters: as whatever tenant the client is.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "incipit/client.h"

namespace incipit::bench {

// Until every shard has written to NVMe all blocks it wants to have there. DeadlineExceeded: says what is left.
absl::Status WaitUntilWritten(Client* client, uint32_t timeout_ms);

// Until every shard has indexed what lies on its NVMe.
absl::Status WaitUntilIndexed(Client* client, uint32_t timeout_ms);

// A counter summed over all shards; 0 if the node does not report it. Unavailable: no answer.
absl::StatusOr<uint64_t> SumOfCounter(Client* client, const std::string& name);

}  // namespace incipit::bench
