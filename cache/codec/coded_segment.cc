#include "cache/codec/coded_segment.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/codec/bf16_lossless.h"
#include "cache/codec/fp8_lossless.h"
#include "cache/codec/fp8_rows.h"

namespace incipit {
namespace {

using codec_internal::kBf16RowBytes;
using codec_internal::kFp8RowBytes;

// Fields of the header.
constexpr size_t kVersionAndFormAt = 0, kReservedAt = 1, kChannelsAt = 2, kRawBytesAt = 4, kBodyAt = 8;
static_assert(kBodyAt == kCodedSegmentOverheadBytes);

enum Form : uint8_t { kPlain = 0, kPlanes = 1, kRows = 2 };

struct Name {
  SegmentCoding coding;
  std::string_view name;
};
constexpr Name kNames[] = {{SegmentCoding::kRaw, "raw"},
                           {SegmentCoding::kBf16Lossless, "bf16-lossless"},
                           {SegmentCoding::kFp8Lossless, "fp8-lossless"},
                           {SegmentCoding::kFp8, "fp8"}};

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
  const Form packed = coding == SegmentCoding::kFp8 ? kRows : kPlanes;
  if (form != kPlain && form != packed) return Damaged("form", form, absl::StrCat("0 or ", static_cast<int>(packed)));
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

struct Coded {
  Form form = kPlain;
  uint32_t channels = 0;
  size_t body_bytes = 0;  // 0: not coded
};

Coded EncodeBody(const CodecOptions& options, ByteView raw, MutableBytes out, CodecScratch* scratch) {
  Coded coded{.form = kPlanes};
  if (options.coding == SegmentCoding::kBf16Lossless) {
    CodecOptions known = options;
    if (!KnowsChannels(options.row_values)) known.row_values = 1;
    coded.body_bytes = codec_internal::EncodeBf16(known, raw, out, &coded.channels, &scratch->parts());
  } else if (options.coding == SegmentCoding::kFp8Lossless && raw.size() % kFp8RowBytes == 0) {
    coded.body_bytes = codec_internal::EncodeFp8(options.level, raw, out, &scratch->parts());
  } else if (options.coding == SegmentCoding::kFp8 && raw.size() % kBf16RowBytes == 0) {
    coded.form = kRows;
    coded.body_bytes = raw.size() / kBf16RowBytes * kFp8RowBytes;
    codec_internal::QuantizeRows(raw, out.first(coded.body_bytes));
  }
  return coded;
}

absl::Status DecodeBody(SegmentCoding coding, uint32_t channels, ByteView body, MutableBytes raw,
                        CodecScratch* scratch) {
  if (coding == SegmentCoding::kBf16Lossless) {
    return codec_internal::DecodeBf16(channels, body, raw, &scratch->parts());
  }
  const size_t row_bytes = coding == SegmentCoding::kFp8 ? kBf16RowBytes : kFp8RowBytes;
  if (raw.size() % row_bytes != 0) {
    return Damaged("raw bytes", raw.size(), absl::StrCat("whole rows of ", row_bytes));
  }
  if (coding == SegmentCoding::kFp8Lossless) return codec_internal::DecodeFp8(body, raw, &scratch->parts());
  const size_t expected = raw.size() / kBf16RowBytes * kFp8RowBytes;
  if (body.size() != expected) return Damaged("bytes of rows", body.size(), absl::StrCat(expected));
  codec_internal::DequantizeRows(body, raw);
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
      absl::StrCat("codec is '", std::string(name), "', expected raw, bf16-lossless, fp8-lossless or fp8"));
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
  const auto most = static_cast<size_t>(static_cast<double>(raw.size()) / kMinCodedRatio);
  Coded coded;
  if (most > kBodyAt) coded = EncodeBody(options, raw, stored.subspan(kBodyAt, most - kBodyAt), scratch);
  if (coded.body_bytes > 0) {
    PutHeader(coded.form, coded.channels, raw.size(), stored);
    return kBodyAt + coded.body_bytes;
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
    if ((stored[kVersionAndFormAt] & 15) != kPlain) return DecodeBody(coding, channels, body, raw, scratch);
  }
  if (body.size() != raw.size()) return Damaged("length of the plain bytes", body.size(), absl::StrCat(raw.size()));
  if (!raw.empty()) std::memcpy(raw.data(), body.data(), raw.size());
  return absl::OkStatus();
}

}  // namespace incipit
