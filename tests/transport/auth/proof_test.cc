#include "transport/auth/proof.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

const TenantKey kKey(AsBytes("0123456789abcdef"));
const std::vector<uint8_t> kHello(40, 1), kServer(32, 2), kClient(32, 3);

TEST(Proof, ClientAndServerProveDifferentThings) {
  const AuthExchange exchange{kHello, kServer, kClient};
  EXPECT_NE(ClientProof(kKey, exchange), ReplyKey(kKey, exchange));
  EXPECT_NE(ClientProof(kKey, exchange), ServerProof(ReplyKey(kKey, exchange), {}));
}

TEST(Proof, EveryPartOfTheExchangeCounts) {
  const Mac mac = ClientProof(kKey, {kHello, kServer, kClient});
  const Mac reply = ReplyKey(kKey, {kHello, kServer, kClient});
  for (const size_t part : {0u, 1u, 2u}) {
    for (size_t byte = 0; byte < 32; ++byte) {
      std::vector<uint8_t> parts[] = {kHello, kServer, kClient};
      parts[part][byte] ^= 1;
      const AuthExchange changed{parts[0], parts[1], parts[2]};
      EXPECT_NE(ClientProof(kKey, changed), mac) << part << " " << byte;
      EXPECT_NE(ReplyKey(kKey, changed), reply) << part << " " << byte;
    }
  }
}

TEST(Proof, BytesCannotMoveFromOnePartToTheNext) {
  const std::vector<uint8_t> longer(33, 2), shorter(31, 2);
  const std::vector<uint8_t> both(32, 2);
  EXPECT_NE(ClientProof(kKey, {kHello, longer, shorter}), ClientProof(kKey, {kHello, both, both}));
}

TEST(Proof, ServerProofCoversWhatTheNodeSaysOfItself) {
  const Mac key = ReplyKey(kKey, {kHello, kServer, kClient});
  const std::vector<uint8_t> said(62, 9);
  std::vector<uint8_t> changed = said;
  changed[30] ^= 0x80;
  EXPECT_NE(ServerProof(key, said), ServerProof(key, changed));
}

}  // namespace
}  // namespace incipit
