#include "cache/format/layout.h"

#include <openssl/evp.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cache/base/byte_reader.h"
#include "cache/base/byte_writer.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

// No check below computes anything that could wrap: entries * bytes fits 50 bits, a padded layer 51, a block 61.
static_assert(uint64_t{kMaxBlockTokens} * kMaxBlockBytes <= 1ull << 50);
static_assert(kMaxLayers <= 1ull << 10 && kMaxLayerAlignBytes <= 1ull << 50);
static_assert(kMaxRestoreStepTokens * kMaxBlockTokens <= 1ull << 60);

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// "layout: group "latent": block_tokens is 0; allowed: 1 to 1048576".
absl::Status Bad(absl::string_view where, absl::string_view field, uint64_t found, absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("layout: ", where, ": ", field, " is ", found, "; allowed: ", allowed));
}
absl::Status OutOfRange(absl::string_view where, absl::string_view field, uint64_t found, uint64_t low, uint64_t high) {
  return Bad(where, field, found, absl::StrCat(low, " to ", high));
}

absl::Status ValidateName(absl::string_view where, const std::string& name) {
  if (IsName(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("layout: ", where, ": name has ", name.size(),
                                                 " bytes; allowed: 1 to ", kMaxNameBytes, " bytes of printable ASCII"));
}

absl::Status ValidateFields(absl::string_view where, const GroupSpec& group) {
  if (group.rule > HitRule::kCheckpoint) {
    return OutOfRange(where, "rule", static_cast<uint8_t>(group.rule), 0, static_cast<uint8_t>(HitRule::kCheckpoint));
  }
  const bool window = group.rule == HitRule::kWindow;
  if (window && (group.window_tokens == 0 || group.window_tokens > kMaxWindowTokens)) {
    return OutOfRange(where, "window_tokens", group.window_tokens, 1, kMaxWindowTokens);
  }
  if (!window && group.window_tokens != 0) {
    return Bad(where, "window_tokens", group.window_tokens, "0, because the hit rule is not window");
  }
  if (group.block_tokens == 0 || group.block_tokens > kMaxBlockTokens) {
    return OutOfRange(where, "block_tokens", group.block_tokens, 1, kMaxBlockTokens);
  }
  if (group.layers == 0 || group.layers > kMaxLayers) return OutOfRange(where, "layers", group.layers, 1, kMaxLayers);
  if (group.rule == HitRule::kCheckpoint && group.tokens_per_entry != 1) {
    return Bad(where, "tokens_per_entry", group.tokens_per_entry, "1, because the hit rule is checkpoint");
  }
  if (group.tokens_per_entry == 0 || group.block_tokens % group.tokens_per_entry != 0) {
    return Bad(where, "tokens_per_entry", group.tokens_per_entry,
               absl::StrCat("a divisor of block_tokens, ", group.block_tokens));
  }
  if (group.bytes_per_entry == 0 || group.bytes_per_entry > kMaxBlockBytes) {
    return OutOfRange(where, "bytes_per_entry", group.bytes_per_entry, 1, kMaxBlockBytes);
  }
  if (group.layer_align_bytes == 0 || group.layer_align_bytes > kMaxLayerAlignBytes) {
    return OutOfRange(where, "layer_align_bytes", group.layer_align_bytes, 1, kMaxLayerAlignBytes);
  }
  return absl::OkStatus();
}

// REQUIRES: ValidateFields(group) is ok.
absl::Status ValidateSizes(absl::string_view where, const GroupSpec& group) {
  const uint64_t block_bytes = group.BlockBytes();
  if (block_bytes > kMaxBlockBytes) return OutOfRange(where, "the bytes of a block", block_bytes, 1, kMaxBlockBytes);
  const uint32_t segments = group.SegmentCount();
  if (segments > kMaxSegments) return OutOfRange(where, "segments", segments, 0, kMaxSegments);
  if (block_bytes % segments != 0) {
    return Bad(where, "segments", segments, absl::StrCat("a divisor of the ", block_bytes, " bytes of a block"));
  }
  if (group.SegmentBytes() > kMaxPayloadBytes) {
    return Bad(where, "the bytes of a segment", group.SegmentBytes(),
               absl::StrCat("1 to ", kMaxPayloadBytes, "; raise segments"));
  }
  return absl::OkStatus();
}

void EncodeGroup(const GroupSpec& group, ByteWriter* writer) {
  writer->WriteText(group.name);
  writer->Write(static_cast<uint8_t>(group.rule));
  writer->Write(group.window_tokens);
  writer->Write(group.block_tokens);
  writer->Write(group.layers);
  writer->Write(group.tokens_per_entry);
  writer->Write(group.bytes_per_entry);
  writer->Write(group.layer_align_bytes);
  writer->Write(group.segments == group.layers ? 0u : group.segments);
}

GroupSpec DecodeGroup(ByteReader* reader) {
  GroupSpec group;
  group.name = reader->ReadText(kMaxNameBytes);
  group.rule = static_cast<HitRule>(reader->Read<uint8_t>());
  group.window_tokens = reader->Read<uint32_t>();
  group.block_tokens = reader->Read<uint32_t>();
  group.layers = reader->Read<uint32_t>();
  group.tokens_per_entry = reader->Read<uint32_t>();
  group.bytes_per_entry = reader->Read<uint32_t>();
  group.layer_align_bytes = reader->Read<uint32_t>();
  group.segments = reader->Read<uint32_t>();
  return group;
}

}  // namespace

uint64_t GroupSpec::LayerBytes() const {
  const uint64_t entries = rule == HitRule::kCheckpoint ? 1 : block_tokens / tokens_per_entry;
  const uint64_t bytes = entries * bytes_per_entry;
  return (bytes + layer_align_bytes - 1) / layer_align_bytes * layer_align_bytes;
}

uint32_t GroupSpec::SegmentsPerPart() const {
  return static_cast<uint32_t>(std::min<uint64_t>(kMaxPayloadBytes / SegmentBytes(), SegmentCount()));
}

uint32_t GroupSpec::PartCount() const {
  const uint32_t per_part = SegmentsPerPart();
  return (SegmentCount() + per_part - 1) / per_part;
}

uint32_t GroupSpec::SegmentsOfPart(uint32_t part) const {
  const uint64_t first = uint64_t{part} * SegmentsPerPart();
  if (first >= SegmentCount()) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(SegmentsPerPart(), SegmentCount() - first));
}

absl::Status Layout::Validate() const {
  RETURN_IF_ERROR(ValidateName("the layout's name", name));
  if (groups.empty() || groups.size() > kMaxGroups) {
    return OutOfRange(name, "the number of groups", groups.size(), 1, kMaxGroups);
  }
  uint64_t step = 1;
  for (size_t i = 0; i < groups.size(); ++i) {
    const GroupSpec& group = groups[i];
    RETURN_IF_ERROR(ValidateName(absl::StrCat("group ", i), group.name));
    const std::string where = absl::StrCat("group \"", group.name, "\"");
    RETURN_IF_ERROR(ValidateFields(where, group));
    RETURN_IF_ERROR(ValidateSizes(where, group));
    for (size_t j = 0; j < i; ++j) {
      if (groups[j].name == group.name) {
        return absl::InvalidArgumentError(absl::StrCat("layout: ", where, " stands twice; names must differ"));
      }
    }
    step = std::lcm<uint64_t>(step, group.block_tokens);
    if (step > kMaxRestoreStepTokens) {
      return OutOfRange(where, "the least common multiple of block_tokens so far", step, 1, kMaxRestoreStepTokens);
    }
  }
  return absl::OkStatus();
}

std::vector<uint8_t> Layout::Encode() const {
  INCIPIT_CHECK(Validate().ok(), "only a valid layout can be encoded");
  std::vector<uint8_t> bytes;
  ByteWriter writer(&bytes);
  writer.Write(kLayoutMagic);
  writer.Write(kLayoutVersion);
  writer.Write(static_cast<uint16_t>(groups.size()));
  writer.WriteText(name);
  for (const GroupSpec& group : groups) EncodeGroup(group, &writer);
  return bytes;
}

absl::StatusOr<Layout> Layout::Decode(ByteView bytes) {
  ByteReader reader(bytes);
  const auto magic = reader.Read<uint32_t>();
  const auto version = reader.Read<uint16_t>();
  const auto group_count = reader.Read<uint16_t>();
  if (!reader.ok() || magic != kLayoutMagic) {
    return absl::InvalidArgumentError(absl::StrCat("layout: not a layout: magic is 0x", absl::Hex(magic), " in ",
                                                   bytes.size(), " bytes, expected 0x", absl::Hex(kLayoutMagic)));
  }
  if (version != kLayoutVersion) {
    return absl::FailedPreconditionError(absl::StrCat("layout: version is ", version, ", this build knows ",
                                                      kLayoutVersion, "; use the same release on both sides"));
  }
  if (group_count == 0 || group_count > kMaxGroups) {
    return OutOfRange("header", "the number of groups", group_count, 1, kMaxGroups);
  }
  Layout layout;
  layout.name = reader.ReadText(kMaxNameBytes);
  for (uint16_t i = 0; i < group_count && reader.ok(); ++i) layout.groups.push_back(DecodeGroup(&reader));
  if (!reader.ok() || !reader.AtEnd()) {
    return absl::InvalidArgumentError(
        absl::StrCat("layout: ", reader.ok() ? "bytes left over" : "cut short or a name too long", " at offset ",
                     reader.offset(), " of ", bytes.size()));
  }
  RETURN_IF_ERROR(layout.Validate());
  for (const GroupSpec& group : layout.groups) {
    if (group.segments == group.layers) {
      return Bad(absl::StrCat("group \"", group.name, "\""), "segments", group.segments,
                 "0 where it equals layers, because each layout has one encoding");
    }
  }
  return layout;
}

LayoutFingerprint Layout::Fingerprint() const {
  const std::vector<uint8_t> bytes = Encode();
  LayoutFingerprint fingerprint;
  unsigned int size = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), fingerprint.data(), &size, EVP_sha256(), nullptr);
  INCIPIT_CHECK(ok == 1 && size == fingerprint.size(), "OpenSSL has no SHA-256");
  return fingerprint;
}

uint64_t Layout::RestoreStepTokens() const {
  uint64_t step = 1;
  for (const GroupSpec& group : groups) step = std::lcm<uint64_t>(step, group.block_tokens);
  return step;
}

double Layout::BytesPerToken() const {
  double bytes = 0;
  for (const GroupSpec& group : groups) {
    if (group.rule == HitRule::kAll) bytes += static_cast<double>(group.BlockBytes()) / group.block_tokens;
  }
  return bytes;
}

}  // namespace incipit
