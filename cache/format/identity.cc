#include "cache/format/identity.h"

#include <openssl/evp.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/base/byte_reader.h"
#include "cache/base/byte_writer.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "cache/format/fields.h"

namespace incipit {
namespace {

using format_internal::PutField;

constexpr std::string_view kSecretTag = "incipit.hash-secret.v1";
constexpr size_t kSha256Bytes = 32;
static_assert(kHashSecretBytes % kSha256Bytes == 0);

absl::Status Malformed(absl::string_view what) { return absl::InvalidArgumentError(absl::StrCat("identity: ", what)); }

}  // namespace

std::vector<uint8_t> FrameNamespace(const NamespaceIdentity& name_space) {
  INCIPIT_CHECK(name_space.tenant.size() <= kMaxNameBytes && name_space.model.size() <= kMaxNameBytes,
                "tenant and model have at most 128 bytes");
  std::vector<uint8_t> framed;
  framed.reserve(kMaxFramedNamespaceBytes);
  ByteWriter writer(&framed);
  writer.Write(kIdentityDomain);
  writer.Write(kIdentityVersion);
  writer.WriteText(name_space.tenant);
  writer.WriteText(name_space.model);
  writer.WriteBytes(name_space.layout_fingerprint);
  return framed;
}

ByteView FrameIdentity(ByteView framed_namespace, GroupIndex group, uint16_t part, ByteView key,
                       std::array<uint8_t, kMaxFramedIdentityBytes>* out) {
  INCIPIT_CHECK(framed_namespace.size() <= kMaxFramedNamespaceBytes, "framed_namespace is not from FrameNamespace");
  INCIPIT_CHECK(!key.empty() && key.size() <= kMaxKeyBytes, "a key has 1 to 64 bytes");
  const size_t at = framed_namespace.size();
  std::memcpy(out->data(), framed_namespace.data(), at);
  PutField(*out, at, group);
  PutField(*out, at + 2, part);
  PutField(*out, at + 4, static_cast<uint8_t>(key.size()));
  std::memcpy(out->data() + at + kFramedBlockFieldsBytes, key.data(), key.size());
  return {out->data(), at + kFramedBlockFieldsBytes + key.size()};
}

absl::StatusOr<IdentityView> ViewIdentity(ByteView framed) {
  ByteReader reader(framed);
  const auto domain = reader.Read<uint8_t>();
  const auto version = reader.Read<uint8_t>();
  if (!reader.ok() || domain != kIdentityDomain || version != kIdentityVersion) {
    return Malformed(absl::StrCat("starts with domain ", domain, " and version ", version, ", expected ",
                                  kIdentityDomain, " and ", kIdentityVersion));
  }
  IdentityView view;
  view.tenant = reader.ReadText(kMaxNameBytes);
  view.model = reader.ReadText(kMaxNameBytes);
  view.layout_fingerprint = reader.ReadBytes(sizeof(LayoutFingerprint));
  view.group = reader.Read<uint16_t>();
  view.part = reader.Read<uint16_t>();
  const auto key_bytes = reader.Read<uint8_t>();
  view.key = reader.ReadBytes(key_bytes);
  if (!reader.ok()) {
    return Malformed(absl::StrCat("cut short, or a name over ", kMaxNameBytes, " bytes, in ", framed.size(), " bytes"));
  }
  if (!reader.AtEnd()) return Malformed(absl::StrCat(reader.remaining(), " bytes left over"));
  if (view.key.empty() || view.key.size() > kMaxKeyBytes) {
    return Malformed(absl::StrCat("key has ", view.key.size(), " bytes, allowed: 1 to ", kMaxKeyBytes));
  }
  if (view.group >= kMaxGroups) return Malformed(absl::StrCat("group is ", view.group, ", limit ", kMaxGroups));
  if (view.part >= kMaxSegments) return Malformed(absl::StrCat("part is ", view.part, ", limit ", kMaxSegments));
  return view;
}

absl::StatusOr<BlockIdentity> ParseIdentity(ByteView framed) {
  ASSIGN_OR_RETURN(const IdentityView view, ViewIdentity(framed));
  BlockIdentity identity;
  identity.name_space.tenant = view.tenant;
  identity.name_space.model = view.model;
  std::memcpy(identity.name_space.layout_fingerprint.data(), view.layout_fingerprint.data(), sizeof(LayoutFingerprint));
  identity.group = view.group;
  identity.part = view.part;
  identity.key = BlockKey(view.key);
  return identity;
}

HashSecret ExpandHashSecret(ByteView seed) {
  std::vector<uint8_t> message;
  ByteWriter writer(&message);
  writer.WriteBytes(AsBytes(kSecretTag));
  writer.WriteBytes(seed);
  const size_t counter_at = message.size();
  writer.Write(uint32_t{0});
  HashSecret secret;
  for (uint32_t block = 0; block < kHashSecretBytes / kSha256Bytes; ++block) {
    writer.Patch(counter_at, block);
    unsigned int size = 0;
    const int ok =
        EVP_Digest(message.data(), message.size(), secret.data() + block * kSha256Bytes, &size, EVP_sha256(), nullptr);
    INCIPIT_CHECK(ok == 1 && size == kSha256Bytes, "OpenSSL has no SHA-256");
  }
  return secret;
}

}  // namespace incipit
