#include "transport/wire/auth_messages.h"

#include <algorithm>

#include "transport/wire/meta_reader.h"
#include "transport/wire/meta_text.h"

namespace incipit::wire {
namespace {

template <size_t N>
void ReadArray(MetaReader* reader, const char* field, std::array<uint8_t, N>* out) {
  const ByteView bytes = reader->ReadBytes(field, N);
  if (reader->ok()) std::copy(bytes.begin(), bytes.end(), out->begin());
}

}  // namespace

void Challenge::Encode(std::vector<uint8_t>* out) const { ByteWriter(out).WriteBytes(server_nonce); }

absl::StatusOr<Challenge> Challenge::Decode(ByteView meta) {
  MetaReader reader("Challenge", meta);
  Challenge challenge;
  ReadArray(&reader, "server_nonce", &challenge.server_nonce);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return challenge;
}

void Proof::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.WriteBytes(client_nonce);
  writer.WriteBytes(proof);
}

absl::StatusOr<Proof> Proof::Decode(ByteView meta) {
  MetaReader reader("Proof", meta);
  Proof message;
  ReadArray(&reader, "client_nonce", &message.client_nonce);
  ReadArray(&reader, "proof", &message.proof);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void ProofReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.WriteBytes(proof);
  writer.Write(static_cast<uint32_t>(hello_reply.size()));
  writer.WriteBytes(hello_reply);
}

absl::StatusOr<ProofReply> ProofReply::Decode(ByteView meta) {
  MetaReader reader("ProofReply", meta);
  ProofReply reply;
  ReadArray(&reader, "proof", &reply.proof);
  const auto bytes = reader.ReadCount<uint32_t>("hello_reply", {.min = 1, .max = kMaxHelloReplyBytes, .what = "bytes"});
  const ByteView hello = reader.ReadBytes("hello_reply", bytes);
  reply.hello_reply.assign(hello.begin(), hello.end());
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void OpenShared::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  WriteTextCut(&writer, owner);
  WriteTextCut(&writer, model);
  writer.Write(static_cast<uint32_t>(layout.size()));
  writer.WriteBytes(layout);
}

absl::StatusOr<OpenShared> OpenShared::Decode(ByteView meta) {
  MetaReader reader("OpenShared", meta);
  OpenShared open;
  open.owner = reader.ReadText("owner", 1, kMaxNameBytes);
  open.model = reader.ReadText("model", 1, kMaxNameBytes);
  const auto layout_bytes =
      reader.ReadCount<uint32_t>("layout", {.min = 1, .max = OpenNamespace::kMaxLayoutBytes, .what = "bytes"});
  const ByteView layout = reader.ReadBytes("layout", layout_bytes);
  open.layout.assign(layout.begin(), layout.end());
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return open;
}

}  // namespace incipit::wire
