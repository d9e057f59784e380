#include "transport/ucx/ucx_message.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/xxh3.h"

namespace incipit {
namespace {

constexpr uint32_t kMagic = 0x55434e49;  // "INCU" in wire order
constexpr uint8_t kVersion = 1;
constexpr size_t kChecksumOffset = 40;
static_assert(kChecksumOffset + sizeof(uint64_t) == UcxMessage::kHeaderBytes);

template <typename T>
void Put(uint8_t* header, size_t offset, T value) {
  std::memcpy(header + offset, &value, sizeof(value));
}

template <typename T>
T Get(ByteView header, size_t offset) {
  T value;
  std::memcpy(&value, header.data() + offset, sizeof(value));
  return value;
}

absl::Status Wrong(const char* field, uint64_t found, const char* allowed) {
  return absl::InvalidArgumentError(absl::StrCat("ucx message: ", field, " is ", found, ", allowed is ", allowed));
}

}  // namespace

std::array<uint8_t, UcxMessage::kHeaderBytes> UcxMessage::Encode() const {
  std::array<uint8_t, kHeaderBytes> header{};
  Put(header.data(), 0, kMagic);
  Put(header.data(), 4, kVersion);
  Put(header.data(), 5, static_cast<uint8_t>(kind));
  std::memcpy(header.data() + 8, token.data(), token.size());
  Put(header.data(), 24, sequence);
  Put(header.data(), 32, taken);
  Put(header.data(), kChecksumOffset, Xxh3Of({header.data(), kChecksumOffset}));
  return header;
}

absl::StatusOr<UcxMessage> UcxMessage::Decode(ByteView header) {
  if (header.size() != kHeaderBytes) return Wrong("header_bytes", header.size(), "48");
  if (Get<uint32_t>(header, 0) != kMagic) return Wrong("magic", Get<uint32_t>(header, 0), "0x55434e49");
  if (Get<uint8_t>(header, 4) != kVersion) return Wrong("version", Get<uint8_t>(header, 4), "1");
  if (Get<uint64_t>(header, kChecksumOffset) != Xxh3Of(header.first(kChecksumOffset))) {
    return absl::DataLossError("ucx message: the header's checksum does not match");
  }
  const auto kind = Get<uint8_t>(header, 5);
  if (kind < 1 || kind > 4) return Wrong("kind", kind, "1 to 4");
  if (Get<uint16_t>(header, 6) != 0) return Wrong("reserved", Get<uint16_t>(header, 6), "0");
  UcxMessage message;
  message.kind = static_cast<UcxMessageKind>(kind);
  std::memcpy(message.token.data(), header.data() + 8, message.token.size());
  message.sequence = Get<uint64_t>(header, 24);
  message.taken = Get<uint64_t>(header, 32);
  const bool counts = message.kind == UcxMessageKind::kBytes || message.kind == UcxMessageKind::kEnd;
  if (!counts && message.sequence != 0) return Wrong("sequence", message.sequence, "0");
  return message;
}

}  // namespace incipit
