#include "client/src/codec/coding_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/layouts/layouts.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

TEST(CodingOptions, NamesStandForCodecsAndLevels) {
  for (const char* none : {"", "raw"}) EXPECT_EQ(ParseCodec(none)->coding, SegmentCoding::kRaw);
  EXPECT_EQ(ParseCodec("bf16-lossless")->coding, SegmentCoding::kBf16Lossless);
  EXPECT_EQ(ParseCodec("bf16-lossless")->level, CodecLevel::kDense);
  EXPECT_EQ(ParseCodec("bf16-lossless-fast")->coding, SegmentCoding::kBf16Lossless);
  EXPECT_EQ(ParseCodec("bf16-lossless-fast")->level, CodecLevel::kFast);
  EXPECT_EQ(ParseCodec("fp8-lossless")->coding, SegmentCoding::kFp8Lossless);
  EXPECT_EQ(ParseCodec("fp8")->coding, SegmentCoding::kFp8);
  for (const char* wrong : {"zstd", "fp8-fast", "-fast", "raw-fast", "BF16-lossless"}) {
    const absl::Status status = ParseCodec(wrong).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr("bf16-lossless-fast, fp8-lossless, fp8 (lossy)"));
  }
}

TEST(CodingOptions, OnlyGroupsWithRowsOfTheRightKindAreCoded) {
  const Layout kimi = *NamedLayout("kimi-k3", 0);
  const CodecOptions bf16 = *ParseCodec("bf16-lossless");
  EXPECT_EQ(OptionsOfGroup(bf16, kimi.groups[0]).row_values, 576u);
  const Layout v32 = *NamedLayout("deepseek-v3.2", 0);  // rows of 656 bytes, and an indexer's of 132
  const CodecOptions fp8 = *ParseCodec("fp8-lossless");
  EXPECT_TRUE(CodesGroup(fp8, v32.groups[0]));
  EXPECT_FALSE(CodesGroup(fp8, v32.groups[1]));
  EXPECT_FALSE(CodesGroup(bf16, v32.groups[0]));
  EXPECT_FALSE(CodesGroup(*ParseCodec("fp8"), v32.groups[0]));
  EXPECT_TRUE(CodesGroup(*ParseCodec("fp8"), kimi.groups[0]));
  EXPECT_EQ(OptionsOfGroup(fp8, v32.groups[1]).coding, SegmentCoding::kRaw);
}

TEST(CodingOptions, SegmentsThatAreNoWholeRowsHaveNoBasesPerChannel) {
  GroupSpec group{.name = "g", .block_tokens = 3, .layers = 1, .bytes_per_entry = 1152, .segments = 2};
  EXPECT_EQ(OptionsOfGroup(*ParseCodec("bf16-lossless"), group).row_values, 0u);
  EXPECT_FALSE(CodesGroup(*ParseCodec("fp8"), group));
  group.segments = 3;
  EXPECT_EQ(OptionsOfGroup(*ParseCodec("bf16-lossless"), group).row_values, 576u);
  EXPECT_TRUE(CodesGroup(*ParseCodec("fp8"), group));
}

TEST(CodingOptions, LayoutsWithoutSuchRowsAreRefusedByWhatTheyHave) {
  EXPECT_TRUE(CheckCodec("", *NamedLayout("deepseek-v4.1-flash", 0)).ok());
  EXPECT_TRUE(CheckCodec("bf16-lossless", *NamedLayout("deepseek-v3-bf16", 0)).ok());
  EXPECT_TRUE(CheckCodec("fp8-lossless", *NamedLayout("deepseek-v3-fp8", 0)).ok());
  const absl::Status status = CheckCodec("bf16-lossless", *NamedLayout("deepseek-v4.1-flash", 0));
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("latent has rows of 445 bytes"));
  EXPECT_THAT(std::string(CheckCodec("fp8", *NamedLayout("deepseek-v3-fp8", 0)).message()), HasSubstr("1152 bytes"));
}

TEST(CodingOptions, LossyBlocksHaveANamespaceOfTheirOwn) {
  const Layout layout = *NamedLayout("deepseek-v3-bf16", 0);
  EXPECT_EQ(CodedLayout(layout, *ParseCodec("bf16-lossless")), layout);
  EXPECT_EQ(CodedLayout(layout, {}), layout);
  const Layout lossy = CodedLayout(layout, *ParseCodec("fp8"));
  EXPECT_EQ(lossy.name, "deepseek-v3-bf16+lossy-fp8");
  EXPECT_NE(lossy.Fingerprint(), layout.Fingerprint());
}

}  // namespace
}  // namespace incipit
