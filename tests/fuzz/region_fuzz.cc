// Input: the start of a page; the rest is zero, as in a well-formed one. Read as superblock, region header and footer,
// as it is and with the checksum repaired.
#include <algorithm>

#include "cache/format/region.h"
#include "tests/fuzz/check.h"
#include "tests/support/format_samples.h"

namespace {

template <typename Page>
void CheckPage(incipit::ByteView bytes) {
  const auto page = Page::Decode(bytes);
  if (!page.ok()) {
    FUZZ_CHECK(!page.status().message().empty(), "a refusal says why");
    return;
  }
  FUZZ_CHECK(bytes.size() >= incipit::kDiskPageBytes, "no page is read from less");
  FUZZ_CHECK(std::ranges::equal(page->Encode(), bytes.first(incipit::kDiskPageBytes)),
             "an accepted page encodes to the same bytes");
}

void CheckAll(incipit::ByteView bytes) {
  CheckPage<incipit::Superblock>(bytes);
  CheckPage<incipit::RegionHeader>(bytes);
  CheckPage<incipit::RegionFooter>(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CheckAll({data, size});
  std::vector<uint8_t> page(data, data + size);
  if (page.size() < incipit::kDiskPageBytes) page.resize(incipit::kDiskPageBytes, 0);
  CheckAll(page);
  incipit::samples::RepairPage(&page);
  CheckAll(page);
  return 0;
}
