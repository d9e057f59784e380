#include "transport/wire/frame.h"

#include <sys/uio.h>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "cache/base/byte_reader.h"
#include "cache/base/xxh3.h"

namespace incipit::wire {
namespace {

// Offsets of docs/wire_format.md. Change one => bump kFrameVersion and add golden files.
constexpr size_t kMagicAt = 0;
constexpr size_t kVersionAt = 4;
constexpr size_t kTypeAt = 5;
constexpr size_t kFlagsAt = 6;
constexpr size_t kRequestIdAt = 8;
constexpr size_t kEpochAt = 16;
constexpr size_t kMetaBytesAt = 24;
constexpr size_t kHeaderChecksumAt = 28;
constexpr size_t kPayloadBytesAt = 32;
constexpr size_t kChecksumAt = 40;
static_assert(kChecksumAt + sizeof(uint64_t) == kFrameHeaderBytes);

constexpr const char* kTypeNames[] = {"",
                                      "Hello",
                                      "HelloReply",
                                      "OpenNamespace",
                                      "OpenNamespaceReply",
                                      "Match",
                                      "MatchReply",
                                      "Load",
                                      "LoadReply",
                                      "Offer",
                                      "OfferReply",
                                      "Store",
                                      "StoreReply",
                                      "Touch",
                                      "TouchReply",
                                      "Release",
                                      "ReleaseReply",
                                      "Remove",
                                      "RemoveReply",
                                      "Stats",
                                      "StatsReply",
                                      "Ping",
                                      "Pong",
                                      "Error",
                                      "Challenge",
                                      "Proof",
                                      "ProofReply",
                                      "OpenShared",
                                      "Claim",
                                      "ClaimReply",
                                      "Wait",
                                      "WaitReply",
                                      "RegionReply",
                                      "RegisterRegion",
                                      "",
                                      "ForgetRegion",
                                      "GetMap",
                                      "MapReply",
                                      "",
                                      "",
                                      "Drain",
                                      "DrainReply",
                                      "Peer",
                                      "PeerReply"};
constexpr uint8_t kTypes = std::size(kTypeNames);
static_assert(kTypes == static_cast<uint8_t>(kLastFrameType) + 1);

using HeaderBytes = std::array<uint8_t, kFrameHeaderBytes>;

template <typename T>
void Put(HeaderBytes* header, size_t at, T value) {
  std::memcpy(header->data() + at, &value, sizeof(T));
}

// Of everything before the frame's checksum, with its own field taken as zero.
uint32_t HeaderChecksumOf(ByteView header) {
  std::array<uint8_t, kChecksumAt> covered;
  std::memcpy(covered.data(), header.data(), covered.size());
  std::memset(covered.data() + kHeaderChecksumAt, 0, sizeof(uint32_t));
  return static_cast<uint32_t>(Xxh3Of(covered));
}

// REQUIRES: the checksum field is zero.
uint64_t ChecksumOf(HeaderBytes& header, ByteView meta) {
  if (meta.empty()) return Xxh3Of(header);
  const iovec pieces[] = {{header.data(), header.size()}, {const_cast<uint8_t*>(meta.data()), meta.size()}};
  return Xxh3OfPieces(pieces, 0, header.size() + meta.size());
}

bool MayCarryPayload(FrameType type) { return type == FrameType::kLoadReply || type == FrameType::kStore; }

bool MayCarryMeta(FrameType type) {
  return type != FrameType::kReleaseReply && type != FrameType::kPing && type != FrameType::kPong &&
         type != FrameType::kRegionReply;
}

bool MayBeShared(FrameType type) {
  return type == FrameType::kLoad || type == FrameType::kLoadReply || type == FrameType::kStore;
}

bool MayComeInParts(FrameType type) { return type == FrameType::kLoadReply || type == FrameType::kWaitReply; }

absl::Status Refuse(FrameType type, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("frame ", FrameTypeName(type), ": ", what));
}

absl::Status CheckFields(const FrameHeader& header) {
  const FrameType type = header.type;
  const uint16_t defined = MayBeShared(type) ? kFrameFlagLast | kFrameFlagShared : kFrameFlagLast;
  if ((header.flags & ~defined) != 0) {
    return Refuse(type, absl::StrCat("flags 0x", absl::Hex(header.flags), ", defined are 0x", absl::Hex(defined)));
  }
  if (!IsReply(type) && (header.flags & kFrameFlagLast) != 0) return Refuse(type, "flags 0x1, requests are not last");
  if (type == FrameType::kLoadReply && (header.flags & kFrameFlagShared) != 0 && header.payload_bytes != 0) {
    return Refuse(type, absl::StrCat("payload_bytes ", header.payload_bytes, ", a shared reply has none"));
  }
  if (IsReply(type) && !MayComeInParts(type) && header.flags != kFrameFlagLast) {
    return Refuse(type, "flags 0x0, a single reply carries the flag last (0x1)");
  }
  if (header.meta_bytes > kMaxMetaBytes) {
    return Refuse(type, absl::StrCat("meta_bytes ", header.meta_bytes, ", at most ", kMaxMetaBytes,
                                     ": send less in one message"));
  }
  if (header.meta_bytes != 0 && !MayCarryMeta(type)) {
    return Refuse(type, absl::StrCat("meta_bytes ", header.meta_bytes, ", this type has no meta"));
  }
  if (header.payload_bytes > kMaxFramePayloadBytes) {
    return Refuse(type, absl::StrCat("payload_bytes ", header.payload_bytes, ", at most ", kMaxFramePayloadBytes,
                                     ": send less in one message"));
  }
  if (header.payload_bytes != 0 && !MayCarryPayload(type)) {
    return Refuse(type, absl::StrCat("payload_bytes ", header.payload_bytes, ", this type has no payload"));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsKnownFrameType(uint8_t type) { return type < kTypes && *kTypeNames[type] != 0; }

bool IsReply(FrameType type) {
  const auto number = static_cast<uint8_t>(type);
  if (number < static_cast<uint8_t>(FrameType::kError)) return number % 2 == 0;
  switch (type) {
    case FrameType::kError:
    case FrameType::kChallenge:
    case FrameType::kProofReply:
    case FrameType::kClaimReply:
    case FrameType::kWaitReply:
    case FrameType::kRegionReply:
    case FrameType::kMapReply:
    case FrameType::kDrainReply:
    case FrameType::kPeerReply:
      return true;
    default:
      return false;
  }
}

const char* FrameTypeName(FrameType type) {
  const auto number = static_cast<uint8_t>(type);
  return IsKnownFrameType(number) ? kTypeNames[number] : "unknown";
}

HeaderBytes FrameHeader::Encode(ByteView meta) const {
  assert(meta.size() == meta_bytes);
  HeaderBytes header{};
  Put(&header, kMagicAt, kFrameMagic);
  Put(&header, kVersionAt, kFrameVersion);
  Put(&header, kTypeAt, static_cast<uint8_t>(type));
  Put(&header, kFlagsAt, flags);
  Put(&header, kRequestIdAt, request_id);
  Put(&header, kEpochAt, epoch);
  Put(&header, kMetaBytesAt, meta_bytes);
  Put(&header, kPayloadBytesAt, payload_bytes);
  Put(&header, kHeaderChecksumAt, HeaderChecksumOf(header));
  Put(&header, kChecksumAt, ChecksumOf(header, meta));
  return header;
}

absl::StatusOr<FrameHeader> FrameHeader::Decode(ByteView header) {
  if (header.size() != kFrameHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("frame: header of ", header.size(), " bytes, expected ", kFrameHeaderBytes));
  }
  ByteReader reader(header);
  const auto magic = reader.Read<uint32_t>();
  if (magic != kFrameMagic) {
    return absl::InvalidArgumentError(absl::StrCat("frame: magic 0x", absl::Hex(magic, absl::kZeroPad8),
                                                   ", expected 0x", absl::Hex(kFrameMagic, absl::kZeroPad8),
                                                   ": the peer does not speak the incipit protocol"));
  }
  const auto version = reader.Read<uint8_t>();
  if (version != kFrameVersion) {
    return absl::FailedPreconditionError(absl::StrCat("frame: header version ", version, ", this build knows ",
                                                      kFrameVersion, ": use a peer of the same release"));
  }
  const auto type = reader.Read<uint8_t>();
  if (!IsKnownFrameType(type)) {
    return absl::InvalidArgumentError(absl::StrCat("frame: type ", type, ", which this build does not know"));
  }
  FrameHeader decoded;
  decoded.type = static_cast<FrameType>(type);
  decoded.flags = reader.Read<uint16_t>();
  decoded.request_id = reader.Read<uint64_t>();
  decoded.epoch = reader.Read<uint64_t>();
  decoded.meta_bytes = reader.Read<uint32_t>();
  const auto stated = reader.Read<uint32_t>();
  decoded.payload_bytes = reader.Read<uint64_t>();
  // Fields first: a peer that asks for too much learns what is allowed. The checksum then catches lengths that were
  // damaged on the way, before anybody waits for bytes that will never come.
  if (absl::Status status = CheckFields(decoded); !status.ok()) return status;
  const uint32_t found = HeaderChecksumOf(header);
  if (found == stated) return decoded;
  return absl::DataLossError(absl::StrCat("frame ", FrameTypeName(decoded.type), ": header checksum 0x",
                                          absl::Hex(stated), " stated, 0x", absl::Hex(found), " found"));
}

absl::Status VerifyFrame(ByteView header, ByteView meta) {
  if (header.size() != kFrameHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("frame: header of ", header.size(), " bytes, expected ", kFrameHeaderBytes));
  }
  HeaderBytes copy;
  std::memcpy(copy.data(), header.data(), copy.size());
  uint64_t stated = 0;
  std::memcpy(&stated, copy.data() + kChecksumAt, sizeof(stated));
  Put(&copy, kChecksumAt, uint64_t{0});
  const uint64_t found = ChecksumOf(copy, meta);
  if (found == stated) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("frame: checksum 0x", absl::Hex(stated), " stated, 0x", absl::Hex(found),
                                          " found over header and ", meta.size(), " bytes of meta"));
}

}  // namespace incipit::wire
