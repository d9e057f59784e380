// The messages by which a client and a node prove to each other that they know a tenant's secret, and the one that
// opens another tenant's namespace. Conventions as in messages.h; what the proofs cover: transport/auth/proof.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "transport/wire/messages.h"

namespace incipit::wire {

// Bit of Hello.features: the client has a secret and answers a challenge.
inline constexpr uint64_t kFeatureCredentials = 1;

inline constexpr size_t kNonceBytes = 32;
inline constexpr size_t kProofBytes = 32;  // HMAC-SHA256
using NonceBytes = std::array<uint8_t, kNonceBytes>;
using ProofBytes = std::array<uint8_t, kProofBytes>;

// Answers Hello where the node has tenants.
struct Challenge {
  NonceBytes server_nonce{};  // fresh for each connection
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Challenge> Decode(ByteView meta);
};

struct Proof {
  NonceBytes client_nonce{};  // fresh for each connection
  ProofBytes proof{};
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<Proof> Decode(ByteView meta);
};

// Answers Proof. `hello_reply` is the meta of a HelloReply, still encoded: the client believes nothing of it before it
// has checked `proof`, which covers it.
struct ProofReply {
  ProofBytes proof{};
  std::vector<uint8_t> hello_reply;
  static constexpr size_t kMaxHelloReplyBytes = 1024;
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<ProofReply> Decode(ByteView meta);
};

// OpenNamespace for a namespace that another tenant owns. Its reply is OpenNamespaceReply.
struct OpenShared {
  std::string owner;  // tenant
  std::string model;
  std::vector<uint8_t> layout;  // canonical encoding, at most OpenNamespace::kMaxLayoutBytes
  void Encode(std::vector<uint8_t>* out) const;
  static absl::StatusOr<OpenShared> Decode(ByteView meta);
};

}  // namespace incipit::wire
