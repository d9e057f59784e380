#include "client/src/codec/coding_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr std::string_view kFastSuffix = "-fast";
constexpr uint32_t kFp8RowBytes = 656, kBf16RowBytes = 1152;
constexpr uint32_t kBf16RowStepBytes = 64;  // 32 values

bool HasRowsOf(const GroupSpec& group, uint32_t row_bytes) {
  return group.bytes_per_entry == row_bytes && group.SegmentBytes() % row_bytes == 0;
}

const char* RowsOf(SegmentCoding coding) {
  switch (coding) {
    case SegmentCoding::kBf16Lossless:
      return "rows of a multiple of 32 values of 16 bits";
    case SegmentCoding::kFp8Lossless:
      return "rows of 656 bytes (512 e4m3, 4 scales, 64 bf16)";
    default:
      return "rows of 1152 bytes (576 bf16)";
  }
}

}  // namespace

absl::StatusOr<CodecOptions> ParseCodec(std::string_view name) {
  CodecOptions options;
  std::string_view coding = name.empty() ? "raw" : name;
  if (name == "bf16-lossless-fast") {
    options.level = CodecLevel::kFast;
    coding.remove_suffix(kFastSuffix.size());
  }
  absl::StatusOr<SegmentCoding> known = SegmentCodingOf(coding);
  if (!known.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("codec is \"", std::string(name),
                     "\"; allowed: raw, bf16-lossless, bf16-lossless-fast, fp8-lossless, fp8 (lossy)"));
  }
  options.coding = *known;
  return options;
}

bool CodesGroup(const CodecOptions& options, const GroupSpec& group) {
  switch (options.coding) {
    case SegmentCoding::kBf16Lossless:
      return group.bytes_per_entry % kBf16RowStepBytes == 0;
    case SegmentCoding::kFp8Lossless:
      return HasRowsOf(group, kFp8RowBytes);
    case SegmentCoding::kFp8:
      return HasRowsOf(group, kBf16RowBytes);
    default:
      return false;
  }
}

CodecOptions OptionsOfGroup(const CodecOptions& options, const GroupSpec& group) {
  if (!CodesGroup(options, group)) return {};
  CodecOptions of_group = options;
  const bool from_row_to_row = group.SegmentBytes() % group.bytes_per_entry == 0;
  of_group.row_values = from_row_to_row ? group.bytes_per_entry / 2 : 0;
  return of_group;
}

absl::Status CheckCodec(std::string_view name, const Layout& layout) {
  ASSIGN_OR_RETURN(const CodecOptions options, ParseCodec(name));
  if (options.coding == SegmentCoding::kRaw) return absl::OkStatus();
  std::vector<std::string> found;
  for (const GroupSpec& group : layout.groups) {
    if (CodesGroup(options, group)) return absl::OkStatus();
    found.push_back(absl::StrCat(group.name, " has rows of ", group.bytes_per_entry, " bytes in segments of ",
                                 group.SegmentBytes()));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "codec ", std::string(name), " takes ", RowsOf(options.coding), ", whole ones in each segment, and layout ",
      layout.name, " has none: ", absl::StrJoin(found, ", "), "; leave the codec out for it"));
}

Layout CodedLayout(const Layout& layout, const CodecOptions& options) {
  Layout coded = layout;
  if (options.coding == SegmentCoding::kFp8) absl::StrAppend(&coded.name, "+lossy-fp8");
  return coded;
}

}  // namespace incipit
