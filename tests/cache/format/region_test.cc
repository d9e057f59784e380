#include "cache/format/region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

template <typename Page>
Page Sample();
template <>
Superblock Sample<Superblock>() {
  return samples::SampleSuperblock();
}
template <>
RegionHeader Sample<RegionHeader>() {
  return samples::SampleRegionHeader();
}
template <>
RegionFooter Sample<RegionFooter>() {
  return samples::SampleRegionFooter();
}

template <typename Page>
class PageTest : public ::testing::Test {};
using Pages = ::testing::Types<Superblock, RegionHeader, RegionFooter>;
TYPED_TEST_SUITE(PageTest, Pages);

TYPED_TEST(PageTest, DecodeGivesBackWhatWasEncoded) {
  auto bytes = Sample<TypeParam>().Encode();
  ASSERT_EQ(bytes.size(), kDiskPageBytes);
  bytes.push_back(0xee);  // what lies behind the page does not matter
  const auto decoded = TypeParam::Decode(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, Sample<TypeParam>());
}

TYPED_TEST(PageTest, EveryFlippedBitIsDetected) {
  auto bytes = Sample<TypeParam>().Encode();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(TypeParam::Decode(bytes).status().code(), absl::StatusCode::kDataLoss) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TYPED_TEST(PageTest, EveryTruncationIsDetected) {
  const auto bytes = Sample<TypeParam>().Encode();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(TypeParam::Decode(ByteView(bytes).first(length)).status().code(), absl::StatusCode::kDataLoss) << length;
  }
}

TYPED_TEST(PageTest, IntactPageOfUnknownVersionIsRefusedByName) {
  auto bytes = Sample<TypeParam>().Encode();
  samples::SetField<uint16_t>(&bytes, 4, 7);
  EXPECT_EQ(TypeParam::Decode(bytes).status().code(), absl::StatusCode::kDataLoss);
  samples::RepairPage(&bytes);
  const absl::Status status = TypeParam::Decode(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version is 7, this build knows 1"));
}

TYPED_TEST(PageTest, NonZeroUnusedBytesBehindAGoodChecksumAreRefused) {
  for (size_t at : {size_t{6}, size_t{80}, size_t{kDiskPageBytes - 1}}) {
    auto bytes = Sample<TypeParam>().Encode();
    bytes[at] = 1;
    samples::RepairPage(&bytes);
    EXPECT_EQ(TypeParam::Decode(bytes).status().code(), absl::StatusCode::kDataLoss) << at;
  }
}

TYPED_TEST(PageTest, EmptyDiskIsDamageNotAnUnknownVersion) {
  EXPECT_EQ(TypeParam::Decode(std::vector<uint8_t>(kDiskPageBytes, 0)).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RegionPagesTest, OnePageIsNotTakenForAnother) {
  EXPECT_THAT(std::string(RegionHeader::Decode(samples::SampleSuperblock().Encode()).status().message()),
              HasSubstr("region header: magic is 0x53434e49, expected 0x47434e49"));
  EXPECT_FALSE(RegionFooter::Decode(samples::SampleRegionHeader().Encode()).ok());
  EXPECT_FALSE(Superblock::Decode(samples::SampleRegionFooter().Encode()).ok());
}

// Encodes a sample changed by `change` and expects Decode to refuse it, naming `words`.
template <typename Page, typename Change>
void ExpectRefused(Change change, const std::string& words) {
  Page page = Sample<Page>();
  change(&page);
  const absl::Status status = Page::Decode(page.Encode()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << words;
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}

TEST(SuperblockTest, ImpossibleValuesAreRefused) {
  ExpectRefused<Superblock>([](Superblock* s) { s->shard = 4; }, "shard is 4, expected under shard_count, 4");
  ExpectRefused<Superblock>([](Superblock* s) { s->shard_count = 0; }, "under shard_count, 0");
  ExpectRefused<Superblock>([](Superblock* s) { s->region_bytes = 0; }, "region_bytes is 0");
  ExpectRefused<Superblock>([](Superblock* s) { s->region_bytes += 512; }, "multiple of 4096");
  ExpectRefused<Superblock>([](Superblock* s) { s->region_bytes = kMaxRegionBytes + 4096; }, "region_bytes");
  ExpectRefused<Superblock>([](Superblock* s) { s->region_bytes = UINT64_MAX; }, "region_bytes");
  ExpectRefused<Superblock>([](Superblock* s) { s->region_count = 0; }, "region_count is 0");
}

TEST(RegionHeaderTest, GenerationZeroIsRefused) {
  ExpectRefused<RegionHeader>([](RegionHeader* h) { h->generation = 0; }, "generation is 0");
}

TEST(RegionFooterTest, ImpossibleValuesAreRefused) {
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->generation = 0; }, "generation is 0");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_offset = 0; }, "toc_offset is 0");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_offset += 512; }, "toc_offset");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_offset = kMaxRegionBytes; }, "toc_offset");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_offset = UINT64_MAX - 4095; }, "toc_offset");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_bytes = UINT64_MAX; }, "toc_bytes");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->toc_bytes = 3 * kTocFixedBytes - 1; }, "for each of 3 entries");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->entry_count = UINT32_MAX; }, "for each of 4294967295 entries");
  ExpectRefused<RegionFooter>([](RegionFooter* f) { f->entry_count = 0; }, "for each of 0 entries");
}

TEST(RegionFooterTest, EmptyRegionMayBeSealed) {
  RegionFooter footer = samples::SampleRegionFooter();
  footer.entry_count = 0;
  footer.toc_bytes = 0;
  EXPECT_TRUE(RegionFooter::Decode(footer.Encode()).ok());
}

}  // namespace
}  // namespace incipit
