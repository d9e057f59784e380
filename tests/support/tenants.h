// Tenants and their credentials for tests: a table made of a few words, and the handshake done by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cache/tenants/tenant_table.h"
#include "tests/support/wire_client.h"
#include "transport/auth/proof.h"
#include "transport/wire/auth_messages.h"

namespace incipit::testing {

inline std::string SecretOf(const std::string& tenant) { return "the secret of " + tenant; }
inline TenantKey KeyOfTenant(const std::string& tenant) { return TenantKey(AsBytes(SecretOf(tenant))); }
inline Tenant MakeTenant(const std::string& name, RoleSet roles = Role::kRead | Role::kWrite,
                         uint64_t ram_quota_bytes = kNoQuota, uint64_t nvme_quota_bytes = kNoQuota) {
  return {.name = name,
          .key = KeyOfTenant(name),
          .roles = roles,
          .ram_quota_bytes = ram_quota_bytes,
          .nvme_quota_bytes = nvme_quota_bytes};
}
inline TenantTableRef MakeTable(std::vector<Tenant> tenants, std::vector<Grant> grants = {}) {
  return *TenantTable::Make(std::move(tenants), std::move(grants));
}

// One handshake, step by step, so that a test can do each wrongly.
class HandCredentials {
 public:
  HandCredentials(WireClient* client, std::string tenant, uint16_t shard = wire::kAnyShard) : client_(client) {
    hello.shard = shard;
    hello.client_id = 7;
    hello.features = wire::kFeatureCredentials;
    hello.tenant = std::move(tenant);
  }
  // The node's Challenge, or what its Error says.
  absl::Status SayHello() {
    hello_meta.clear();
    hello.Encode(&hello_meta);
    const auto answer = client_->Call(wire::FrameType::kHello, hello);
    if (!answer.ok()) return answer.status();
    if (answer->header.type == wire::FrameType::kError) return WireClient::ErrorOf(*answer);
    if (answer->header.type != wire::FrameType::kChallenge) return absl::DataLossError("no challenge");
    server_nonce = wire::Challenge::Decode(answer->meta)->server_nonce;
    return absl::OkStatus();
  }
  wire::Proof ProofBy(const TenantKey& key) const {
    wire::Proof proof;
    proof.client_nonce.fill(0x11);
    proof.proof = ClientProof(key, {hello_meta, server_nonce, proof.client_nonce});
    return proof;
  }
  // OK if the node takes it and proves itself in turn.
  absl::Status Send(const wire::Proof& proof, const TenantKey& key) {
    const auto answer = client_->Call(wire::FrameType::kProof, proof);
    if (!answer.ok()) return answer.status();
    if (answer->header.type == wire::FrameType::kError) return WireClient::ErrorOf(*answer);
    const auto reply = wire::ProofReply::Decode(answer->meta);
    if (!reply.ok()) return reply.status();
    const Mac reply_key = ReplyKey(key, {hello_meta, server_nonce, proof.client_nonce});
    if (!SameMac(ServerProof(reply_key, reply->hello_reply), reply->proof)) return absl::DataLossError("no proof");
    return wire::HelloReply::Decode(reply->hello_reply).status();
  }
  absl::Status Prove(const TenantKey& key) {
    const absl::Status challenged = SayHello();
    return challenged.ok() ? Send(ProofBy(key), key) : challenged;
  }

  wire::Hello hello;
  std::vector<uint8_t> hello_meta;
  wire::NonceBytes server_nonce{};

 private:
  WireClient* client_;
};

}  // namespace incipit::testing
