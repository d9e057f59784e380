// Decides whether who connects is the tenant it says it is. Fails closed: whatever is not proven is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/seams/random.h"
#include "cache/tenants/audit_log.h"
#include "cache/tenants/failure_limiter.h"
#include "cache/tenants/tenant_table.h"
#include "transport/auth/proof.h"
#include "transport/peer_credentials.h"
#include "transport/wire/auth_messages.h"

namespace incipit {

// What a session starts with. `proven` only where a tenant's secret was proven, or the kernel named a user whom the
// tenant lists. Where it was a secret, `reply_key` makes the node's own proof: it belongs to this one connection, so no
// tenant's key leaves the authenticator.
struct SessionPass {
  bool proven = false;
  std::string tenant;
  std::optional<Mac> reply_key;
};

// One thread: that of the acceptor's loop.
class Authenticator {
 public:
  struct Counters {
    uint64_t failures = 0;   // proofs that were wrong, and tenants that are not known
    uint64_t held_back = 0;  // connections refused because of earlier failures
  };
  // A refusal, and for ResourceExhausted when to try again.
  struct Refused {
    absl::Status status;
    uint32_t retry_after_us = 0;
  };
  // One handshake between challenge and proof.
  struct Attempt {
    std::string host;    // of the peer
    std::string tenant;  // claimed
    std::vector<uint8_t> hello;
    wire::NonceBytes server_nonce{};
  };

  // `random` must outlive it. With `tenants` null nobody is asked for anything.
  Authenticator(Random* random, AuditSink sink, TenantTableRef tenants);
  void SetTenants(TenantTableRef tenants) { tenants_ = std::move(tenants); }
  bool required() const { return tenants_ != nullptr; }

  // A pass for a client on this host that offers no credentials, if it claims a tenant which lists the user it runs as.
  // A client that offers credentials wants the node to prove itself too, so it is challenged like any other.
  std::optional<SessionPass> Recognize(const std::optional<PeerCredentials>& peer, const wire::Hello& hello) const;
  // Looks at a Hello (and its meta as it came). OK fills `attempt` with a fresh nonce to challenge the peer with.
  //   Unauthenticated: the client answers no challenge. ResourceExhausted: it failed too often, and has to wait.
  Refused Begin(std::string_view peer, const wire::Hello& hello, ByteView meta, int64_t now_ns, Attempt* attempt);
  // Unauthenticated: unknown tenant or wrong secret, which are told apart by neither words nor work.
  absl::StatusOr<SessionPass> Finish(const Attempt& attempt, const wire::Proof& proof, int64_t now_ns);

  const Counters& counters() const { return counters_; }

 private:
  TenantTableRef tenants_;
  TenantKey nobody_;  // stands in for the key of a tenant that is not known
  Random* random_;
  FailureLimiter limiter_;
  AuditLog audit_;
  Counters counters_;
};

}  // namespace incipit
