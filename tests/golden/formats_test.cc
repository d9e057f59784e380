// The disk and identity formats against files written when version 1 was made: this build writes the same bytes, and
// reads the files back to the same values.
#include <gtest/gtest.h>

#include "tests/support/format_samples.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

// Pages are zero behind their fields; only what stands before is in the file.
constexpr size_t kPageFieldsBytes = 80;

void ExpectPageFile(const std::string& name, const std::vector<uint8_t>& page) {
  const ByteView fields = ByteView(page).first(kPageFieldsBytes);
  golden::ExpectFile(name, golden::HexDump(fields));
  EXPECT_EQ(page, [&] {
    std::vector<uint8_t> padded(fields.begin(), fields.end());
    padded.resize(kDiskPageBytes, 0);
    return padded;
  }());
}

std::vector<uint8_t> PageOfFile(const std::string& name) {
  auto bytes = golden::BytesOfDump(name);
  EXPECT_EQ(bytes.size(), kPageFieldsBytes) << name;
  bytes.resize(kDiskPageBytes, 0);
  return bytes;
}

TEST(FormatsGolden, Layout) {
  golden::ExpectFile("formats/layout.hex", golden::HexDump(samples::SampleLayout().Encode()));
  const auto layout = Layout::Decode(golden::BytesOfDump("formats/layout.hex"));
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(*layout, samples::SampleLayout());
}

TEST(FormatsGolden, FramedIdentity) {
  golden::ExpectFile("formats/identity.hex", golden::HexDump(samples::SampleIdentity()));
  const auto identity = ParseIdentity(golden::BytesOfDump("formats/identity.hex"));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name_space, samples::SampleNamespace());
  EXPECT_EQ(identity->group, 1);
  EXPECT_EQ(identity->part, 2);
  EXPECT_EQ(identity->key, BlockKey(samples::CountingBytes(32, 1)));
}

TEST(FormatsGolden, HashSecretAndIdentityHash) {
  const HashSecret secret = ExpandHashSecret(samples::CountingBytes(16));
  const Hash128 hash = IdentityHash(samples::SampleIdentity(), secret);
  golden::ExpectFile("formats/hash_secret.hex", golden::HexDump(secret));
  golden::ExpectFile("formats/identity_hash.txt", absl::StrFormat("low %016x high %016x\n", hash.low, hash.high));
}

TEST(FormatsGolden, RecordHeader) {
  std::vector<uint8_t> bytes;
  samples::SampleRecord().Encode(&bytes);
  golden::ExpectFile("formats/record.hex", golden::HexDump(bytes));
  const auto record = DecodeRecordHeader(golden::BytesOfDump("formats/record.hex"));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(*record, samples::SampleRecord());
}

TEST(FormatsGolden, WorkedExamplesAreThoseOfThePage) {
  const std::string page = golden::SourceText("docs/disk_format.md");
  std::vector<uint8_t> record;
  samples::SampleRecord().Encode(&record);
  EXPECT_NE(page.find(golden::HexDump(record)), std::string::npos) << golden::HexDump(record);
  const std::string layout = golden::HexDump(samples::SampleLayout().Encode());
  EXPECT_NE(page.find(layout), std::string::npos) << layout;
  const std::string fingerprint = golden::Hex(samples::SampleLayout().Fingerprint());
  EXPECT_NE(page.find(fingerprint), std::string::npos) << fingerprint;
}

TEST(FormatsGolden, Superblock) {
  ExpectPageFile("formats/superblock.hex", samples::SampleSuperblock().Encode());
  const auto page = Superblock::Decode(PageOfFile("formats/superblock.hex"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, samples::SampleSuperblock());
}

TEST(FormatsGolden, RegionHeader) {
  ExpectPageFile("formats/region_header.hex", samples::SampleRegionHeader().Encode());
  const auto page = RegionHeader::Decode(PageOfFile("formats/region_header.hex"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, samples::SampleRegionHeader());
}

TEST(FormatsGolden, RegionFooter) {
  ExpectPageFile("formats/region_footer.hex", samples::SampleRegionFooter().Encode());
  const auto page = RegionFooter::Decode(PageOfFile("formats/region_footer.hex"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, samples::SampleRegionFooter());
}

TEST(FormatsGolden, TableOfContents) {
  golden::ExpectFile("formats/toc.hex", golden::HexDump(EncodeToc(samples::SampleToc())));
  const auto toc = DecodeToc(golden::BytesOfDump("formats/toc.hex"), 3, 1 << 20);
  ASSERT_TRUE(toc.ok()) << toc.status();
  EXPECT_EQ(*toc, samples::SampleToc());
}

}  // namespace
}  // namespace incipit
