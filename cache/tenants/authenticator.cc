#include "cache/tenants/authenticator.h"

#include <limits>

namespace incipit {
namespace {

constexpr char kRefused[] =
    "the tenant is not known here or its secret is another: compare tenant and secret file with the node's --tenants";

std::vector<uint8_t> RandomSecret(Random* random) {
  std::vector<uint8_t> secret(kMinSecretBytes);
  random->Fill(secret);
  return secret;
}

uint32_t Microseconds(int64_t ns) {
  return static_cast<uint32_t>(std::min<int64_t>(ns / 1000 + 1, std::numeric_limits<uint32_t>::max()));
}

}  // namespace

Authenticator::Authenticator(Random* random, AuditSink sink, TenantTableRef tenants)
    : tenants_(std::move(tenants)), nobody_(RandomSecret(random)), random_(random), audit_(std::move(sink)) {}

std::optional<SessionPass> Authenticator::Recognize(const std::optional<PeerCredentials>& peer,
                                                    const wire::Hello& hello) const {
  if (!peer.has_value() || (hello.features & wire::kFeatureCredentials) != 0) return std::nullopt;
  if (!tenants_->Lists(hello.tenant, peer->uid)) return std::nullopt;
  return SessionPass{.proven = true, .tenant = hello.tenant, .reply_key = std::nullopt};
}

Authenticator::Refused Authenticator::Begin(std::string_view peer, const wire::Hello& hello, ByteView meta,
                                            int64_t now_ns, Attempt* attempt) {
  const std::string_view host = HostOfPeer(peer);
  const int64_t wait_ns = limiter_.WaitNs(host, hello.tenant, now_ns);
  if (wait_ns > 0) {
    ++counters_.held_back;
    audit_.Write({"auth_refused", peer, hello.tenant, "too many failures"}, now_ns);
    return {absl::ResourceExhaustedError("too many failures to authenticate; wait before trying again"),
            Microseconds(wait_ns)};
  }
  if ((hello.features & wire::kFeatureCredentials) == 0) {
    ++counters_.failures;
    audit_.Write({"auth_refused", peer, hello.tenant, "no credentials"}, now_ns);
    return {
        absl::UnauthenticatedError("this node serves tenants only: give a tenant and its secret (--tenant, "
                                   "--secret-file), or come over unix:// as a user whom the tenant lists (uids)")};
  }
  attempt->host = host;
  attempt->tenant = hello.tenant;
  attempt->hello.assign(meta.begin(), meta.end());
  random_->Fill(attempt->server_nonce);
  return {absl::OkStatus()};
}

absl::StatusOr<SessionPass> Authenticator::Finish(const Attempt& attempt, const wire::Proof& proof, int64_t now_ns) {
  const Tenant* tenant = tenants_->Find(attempt.tenant);
  const bool has_key = tenant != nullptr && tenant->key.has_value();
  const TenantKey& key = has_key ? *tenant->key : nobody_;
  const AuthExchange exchange{attempt.hello, attempt.server_nonce, proof.client_nonce};
  const bool same = SameMac(ClientProof(key, exchange), proof.proof);
  SessionPass pass{.proven = true, .tenant = attempt.tenant, .reply_key = ReplyKey(key, exchange)};
  if (same && has_key) {
    limiter_.OnSuccess(attempt.host, attempt.tenant);
    return pass;
  }
  ++counters_.failures;
  limiter_.OnFailure(attempt.host, attempt.tenant, now_ns);
  audit_.Write({"auth_refused", attempt.host, attempt.tenant, "unknown tenant or wrong secret"}, now_ns);
  return absl::UnauthenticatedError(kRefused);
}

}  // namespace incipit
