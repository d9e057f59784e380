// Input: entry count (u32), one byte that picks the region size, then a table of contents.
#include <algorithm>

#include "cache/format/region.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kPrefixBytes = 5;
  if (size < kPrefixBytes) return 0;
  uint32_t entry_count = 0;
  std::memcpy(&entry_count, data, sizeof(entry_count));
  const uint64_t region_bytes = incipit::kMinRegionBytes << data[4] % 17;  // up to 4 GiB, over the limit
  const incipit::ByteView table(data + kPrefixBytes, size - kPrefixBytes);
  const auto entries = incipit::DecodeToc(table, entry_count, region_bytes);
  if (!entries.ok()) {
    FUZZ_CHECK(!entries.status().message().empty(), "a refusal says why");
    return 0;
  }
  FUZZ_CHECK(entries->size() == entry_count, "as many entries as were announced");
  uint64_t end = incipit::kDiskPageBytes;
  for (const incipit::TocEntry& entry : *entries) {
    FUZZ_CHECK(entry.offset >= end, "records do not overlap the header or each other");
    end = entry.offset + entry.RecordBytes();
    FUZZ_CHECK(end <= region_bytes - incipit::kDiskPageBytes, "records end before the footer");
  }
  FUZZ_CHECK(std::ranges::equal(incipit::EncodeToc(*entries), table), "an accepted table encodes to the same bytes");
  return 0;
}
