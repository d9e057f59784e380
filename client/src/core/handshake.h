// The start of a connection: Hello, the proof of credentials where the node has tenants, then OpenNamespace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "cache/seams/random.h"
#include "transport/auth/tenant_key.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"

namespace incipit {

struct HandshakeRequest {
  uint64_t client_id = 0;
  std::string tenant;
  std::string client_name;
  std::string owner;                     // of the namespace, if not the tenant itself
  std::shared_ptr<const TenantKey> key;  // null: no credentials
  wire::OpenNamespace open;
  uint64_t features = 0;  // asked for beside those that every client knows
};

// What is agreed on one connection.
struct AgreedSession {
  wire::HelloReply hello;
  uint32_t namespace_id = 0;
  uint64_t epoch = 0;
};

// The first part of it: Hello, and the proof of credentials if the request has a key. For connections that open no
// namespace, as those that only ask for the cluster's map. Errors as Handshake; *epoch: of the node's shards.
Task<absl::StatusOr<wire::HelloReply>> SayHello(Loop* loop, Random* random, FrameChannel* channel,
                                                const HandshakeRequest* request, uint16_t shard, uint64_t features,
                                                int64_t step_timeout_ns, uint64_t* epoch);

// Unavailable: the connection broke or took over `step_timeout_ns` for a step. InvalidArgument and others: the node's
// own refusal. FailedPrecondition: versions do not meet. DataLoss: what came makes no sense. After an error the channel
// is of no further use. `on_hello` may refuse the node before a namespace is opened.
// Unauthenticated: the node refused the credentials, or did not prove that it has them too. `random` makes the nonce.
Task<absl::StatusOr<AgreedSession>> Handshake(Loop* loop, Random* random, FrameChannel* channel,
                                              const HandshakeRequest* request, uint16_t shard, int64_t step_timeout_ns,
                                              const std::function<absl::Status(const wire::HelloReply&)>* on_hello);

}  // namespace incipit
