#include "client/src/core/credentials.h"

#include "cache/base/status_macros.h"

namespace incipit {

absl::StatusOr<wire::Proof> CredentialExchange::Answer(ByteView challenge, Random* random) {
  ASSIGN_OR_RETURN(const wire::Challenge decoded, wire::Challenge::Decode(challenge));
  server_nonce_ = decoded.server_nonce;
  random->Fill(client_nonce_);
  wire::Proof proof;
  proof.client_nonce = client_nonce_;
  proof.proof = ClientProof(*key_, {hello_, server_nonce_, client_nonce_});
  return proof;
}

absl::StatusOr<wire::HelloReply> CredentialExchange::Verify(ByteView proof_reply) const {
  ASSIGN_OR_RETURN(const wire::ProofReply reply, wire::ProofReply::Decode(proof_reply));
  Mac reply_key = ReplyKey(*key_, {hello_, server_nonce_, client_nonce_});
  const bool same = SameMac(ServerProof(reply_key, reply.hello_reply), reply.proof);
  Wipe(reply_key.data(), reply_key.size());
  if (!same) {
    return absl::UnauthenticatedError(
        "it did not prove that it knows the tenant's secret: an impostor, or somebody changes what is sent");
  }
  return wire::HelloReply::Decode(reply.hello_reply);
}

}  // namespace incipit
