// A client's side of the proof of credentials: what it sends for a challenge, and what it believes afterwards.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "cache/seams/random.h"
#include "transport/auth/proof.h"
#include "transport/wire/auth_messages.h"

namespace incipit {

// One handshake with one node. `key` must outlive it. Pure but for the nonce.
class CredentialExchange {
 public:
  // `hello`: meta of the Hello as sent.
  CredentialExchange(const TenantKey* key, std::vector<uint8_t> hello) : key_(key), hello_(std::move(hello)) {}

  // The answer to a challenge, from its meta. InvalidArgument: not a challenge.
  absl::StatusOr<wire::Proof> Answer(ByteView challenge, Random* random);
  // What the node says of itself, once it has proven that it knows the secret too. Unauthenticated: it has not; nothing
  // it said is to be believed. InvalidArgument: not a ProofReply.
  absl::StatusOr<wire::HelloReply> Verify(ByteView proof_reply) const;

 private:
  const TenantKey* key_;
  std::vector<uint8_t> hello_;
  wire::NonceBytes server_nonce_{}, client_nonce_{};
};

}  // namespace incipit
