#include "transport/auth/proof.h"

#include <string_view>
#include <vector>

#include "cache/base/byte_writer.h"

namespace incipit {
namespace {

constexpr std::string_view kClientTag = "incipit client proof 1";
constexpr std::string_view kServerTag = "incipit server proof 1";

void WriteFramed(ByteWriter* writer, ByteView bytes) {
  writer->Write(static_cast<uint32_t>(bytes.size()));
  writer->WriteBytes(bytes);
}

std::vector<uint8_t> Message(std::string_view tag, const AuthExchange& exchange) {
  std::vector<uint8_t> message;
  ByteWriter writer(&message);
  WriteFramed(&writer, AsBytes(tag));
  WriteFramed(&writer, exchange.hello);
  WriteFramed(&writer, exchange.server_nonce);
  WriteFramed(&writer, exchange.client_nonce);
  return message;
}

}  // namespace

Mac ClientProof(const TenantKey& key, const AuthExchange& exchange) { return key.MacOf(Message(kClientTag, exchange)); }

Mac ReplyKey(const TenantKey& key, const AuthExchange& exchange) { return key.MacOf(Message(kServerTag, exchange)); }

Mac ServerProof(const Mac& reply_key, ByteView hello_reply) { return HmacSha256(reply_key, hello_reply); }

}  // namespace incipit
