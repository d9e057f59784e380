// The proofs of a handshake against values written when version 1 was made (and checked with another implementation).
#include <gtest/gtest.h>

#include "tests/support/golden_file.h"
#include "tests/support/wire_samples.h"
#include "tests/transport/wire/message_fields.h"
#include "transport/auth/proof.h"

namespace incipit {
namespace {

TEST(CredentialsGolden, ProofsAreWhatTheFileSays) {
  const std::vector<uint8_t> secret = *DecodeSecret("000102030405060708090a0b0c0d0e0f1011121314151617");
  const TenantKey key(secret);
  const std::vector<uint8_t> hello = wire::Encoded(wire::samples::SampleHello());
  const std::vector<uint8_t> hello_reply = wire::Encoded(wire::samples::SampleHelloReply());
  const wire::NonceBytes server = wire::samples::SampleChallenge().server_nonce;
  const wire::NonceBytes client = wire::samples::SampleProof().client_nonce;
  const AuthExchange exchange{hello, server, client};
  const Mac reply_key = ReplyKey(key, exchange);
  golden::ExpectFile("wire/credentials.txt", "secret " + golden::Hex(secret) + "\nhello " + golden::Hex(hello) +
                                                 "\nserver_nonce " + golden::Hex(server) + "\nclient_nonce " +
                                                 golden::Hex(client) + "\nhello_reply " + golden::Hex(hello_reply) +
                                                 "\nclient_proof " + golden::Hex(ClientProof(key, exchange)) +
                                                 "\nreply_key " + golden::Hex(reply_key) + "\nserver_proof " +
                                                 golden::Hex(ServerProof(reply_key, hello_reply)) + "\n");
}

}  // namespace
}  // namespace incipit
