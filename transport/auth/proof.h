// What the proofs of a handshake cover. docs/wire_format.md specifies it, with golden values in tests/golden/.
//
//   exchange     = Hello's meta as it travelled, server nonce, client nonce, each framed by its length
//   client proof = HMAC(tenant key, client tag, exchange)
//   reply key    = HMAC(tenant key, server tag, exchange)
//   server proof = HMAC(reply key, HelloReply's meta)
//
// The tags keep a proof from being sent back to where it came from; the nonces of both sides keep one from being used
// twice; Hello's meta binds tenant, client id, shard and the versions offered, so none can be changed on the way.
#pragma once

#include "cache/base/bytes.h"
#include "transport/auth/tenant_key.h"
#include "transport/wire/auth_messages.h"

namespace incipit {

struct AuthExchange {
  ByteView hello;  // meta of the Hello
  ByteView server_nonce;
  ByteView client_nonce;
};

// Pure; two hashes of some 300 bytes each.
Mac ClientProof(const TenantKey& key, const AuthExchange& exchange);
Mac ReplyKey(const TenantKey& key, const AuthExchange& exchange);
Mac ServerProof(const Mac& reply_key, ByteView hello_reply);

}  // namespace incipit
