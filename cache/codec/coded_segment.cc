#include "cache/codec/coded_segment.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/codec/bf16_lossless.h"
#include "cache/codec/fp8_lossless.h"

namespace incipit {
namespace {

// Fields of the header.
constexpr size_t kVersionAndFormAt = 0, kReservedAt = 1, kChannelsAt = 2, kRawBytesAt = 4, kBodyAt = 8;
static_assert(kBodyAt == kCodedSegmentOverheadBytes);

enum Form : uint8_t { kPlain = 0, kPlanes = 1 };

struct Name {
  SegmentCoding coding;
  std::string_view name;
};
constexpr Name kNames[] = {{SegmentCoding::kRaw, "raw"},
                           {SegmentCoding::kBf16Lossless, "bf16-lossless"},
                           {SegmentCoding::kFp8Lossless, "fp8-lossless"}};

// Channels that can have bases of their own.
bool KnowsChannels(uint32_t row_values) {
  return row_values > 0 && row_values % 32 == 0 && row_values <= kMaxRowValues;
}

void PutHeader(Form form, uint32_t channels, size_t raw_bytes, MutableBytes stored) {
  stored[kVersionAndFormAt] = static_cast<uint8_t>(kCodedSegmentVersion << 4 | form);
  stored[kReservedAt] = 0;
  stored[kChannelsAt] = static_cast<uint8_t>(channels);
  stored[kChannelsAt + 1] = static_cast<uint8_t>(channels >> 8);
  const auto bytes = static_cast<uint32_t>(raw_bytes);
  std::memcpy(stored.data() + kRawBytesAt, &bytes, sizeof(bytes));
}

absl::Status Damaged(std::string_view field, uint64_t found, std::string_view expected) {
  return absl::DataLossError(
      absl::StrCat("coded segment: ", std::string(field), " is ", found, ", expected ", std::string(expected)));
}

absl::Status CheckHeader(SegmentCoding coding, ByteView stored, size_t raw_bytes) {
  if (stored.size() < kBodyAt) return Damaged("length", stored.size(), "at least 8");
  const unsigned version = stored[kVersionAndFormAt] >> 4, form = stored[kVersionAndFormAt] & 15;
  if (version != kCodedSegmentVersion) {
    return absl::FailedPreconditionError(absl::StrCat("coded segment: version ", version, ", this build knows ",
                                                      static_cast<int>(kCodedSegmentVersion),
                                                      ": it needs a newer client"));
  }
  if (form > kPlanes) return Damaged("form", form, "0 or 1");
  if (stored[kReservedAt] != 0) return Damaged("the reserved byte", stored[kReservedAt], "0");
  uint32_t declared;
  std::memcpy(&declared, stored.data() + kRawBytesAt, sizeof(declared));
  if (declared != raw_bytes) return Damaged("raw bytes", declared, absl::StrCat(raw_bytes));
  const unsigned channels = stored[kChannelsAt] | stored[kChannelsAt + 1] << 8;
  const bool has_channels = form == kPlanes && coding == SegmentCoding::kBf16Lossless;
  if (!has_channels && channels != 0) return Damaged("channels", channels, "0");
  if (has_channels && channels != 1 && !KnowsChannels(channels)) {
    return Damaged("channels", channels, absl::StrCat("1, or a multiple of 32 up to ", kMaxRowValues));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view SegmentCodingName(SegmentCoding coding) {
  for (const Name& known : kNames) {
    if (known.coding == coding) return known.name;
  }
  return "unknown";
}

absl::StatusOr<SegmentCoding> SegmentCodingOf(std::string_view name) {
  for (const Name& known : kNames) {
    if (known.name == name) return known.coding;
  }
  return absl::NotFoundError(
      absl::StrCat("codec is '", std::string(name), "', expected raw, bf16-lossless or fp8-lossless"));
}

CodecScratch::CodecScratch() : parts_(std::make_unique<Parts>()) {}
CodecScratch::CodecScratch(CodecScratch&&) noexcept = default;
CodecScratch& CodecScratch::operator=(CodecScratch&&) noexcept = default;
CodecScratch::~CodecScratch() = default;

absl::StatusOr<CodecScratch> CodecScratch::WithKernel(std::string_view name) {
  for (const codec_internal::Kernel* kernel :
       {&codec_internal::kAvx512Kernel, &codec_internal::kAvx2Kernel, &codec_internal::kPortableKernel}) {
    if (name != kernel->name || !codec_internal::CanRun(*kernel)) continue;
    CodecScratch scratch;
    scratch.parts_->kernel = kernel;
    return scratch;
  }
  return absl::NotFoundError(absl::StrCat("codec kernel '", std::string(name),
                                          "': this processor runs no such kernel; there are avx512, avx2, portable"));
}

const char* CodecKernel() { return codec_internal::BestKernel().name; }

size_t EncodeSegment(const CodecOptions& options, ByteView raw, MutableBytes stored, CodecScratch* scratch) {
  INCIPIT_CHECK(stored.size() >= MaxCodedBytes(raw.size()), "room for a segment that does not shrink");
  INCIPIT_CHECK(raw.size() <= UINT32_MAX, "a segment is below 4 GiB");
  if (options.coding == SegmentCoding::kRaw) {
    if (!raw.empty()) std::memcpy(stored.data(), raw.data(), raw.size());
    return raw.size();
  }
  CodecOptions known = options;
  if (!KnowsChannels(options.row_values)) known.row_values = 1;
  const auto most = static_cast<size_t>(static_cast<double>(raw.size()) / kMinCodedRatio);
  size_t body_bytes = 0;
  uint32_t channels = 0;
  if (most > kBodyAt) {
    const MutableBytes body = stored.subspan(kBodyAt, most - kBodyAt);
    if (options.coding == SegmentCoding::kBf16Lossless) {
      body_bytes = codec_internal::EncodeBf16(known, raw, body, &channels, &scratch->parts());
    } else if (raw.size() % codec_internal::kFp8RowBytes == 0) {
      body_bytes = codec_internal::EncodeFp8(options.level, raw, body, &scratch->parts());
    }
  }
  if (body_bytes > 0) {
    PutHeader(kPlanes, channels, raw.size(), stored);
    return kBodyAt + body_bytes;
  }
  PutHeader(kPlain, 0, raw.size(), stored);
  if (!raw.empty()) std::memcpy(stored.data() + kBodyAt, raw.data(), raw.size());
  return kBodyAt + raw.size();
}

absl::Status DecodeSegment(SegmentCoding coding, ByteView stored, MutableBytes raw, CodecScratch* scratch) {
  ByteView body = stored;
  if (coding != SegmentCoding::kRaw) {
    if (absl::Status checked = CheckHeader(coding, stored, raw.size()); !checked.ok()) return checked;
    body = stored.subspan(kBodyAt);
    const unsigned channels = stored[kChannelsAt] | stored[kChannelsAt + 1] << 8;
    if ((stored[kVersionAndFormAt] & 15) == kPlanes) {
      if (coding == SegmentCoding::kBf16Lossless) {
        return codec_internal::DecodeBf16(channels, body, raw, &scratch->parts());
      }
      if (raw.size() % codec_internal::kFp8RowBytes != 0) return Damaged("raw bytes", raw.size(), "whole rows of 656");
      return codec_internal::DecodeFp8(body, raw, &scratch->parts());
    }
  }
  if (body.size() != raw.size()) return Damaged("length of the plain bytes", body.size(), absl::StrCat(raw.size()));
  if (!raw.empty()) std::memcpy(raw.data(), body.data(), raw.size());
  return absl::OkStatus();
}

}  // namespace incipit
