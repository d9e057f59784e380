#include "cache/format/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

GroupSpec Group(uint32_t block_tokens, uint32_t layers, uint32_t bytes_per_entry) {
  return {.name = "g", .block_tokens = block_tokens, .layers = layers, .bytes_per_entry = bytes_per_entry};
}
Layout Of(GroupSpec group) { return {.name = "l", .groups = {std::move(group)}}; }

void ExpectInvalid(const Layout& layout, const std::string& words) {
  const absl::Status status = layout.Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << words;
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}

TEST(GroupSpecTest, SizesFollowFromFields) {
  GroupSpec group = Group(64, 61, 1152);
  EXPECT_EQ(group.LayerBytes(), 73'728u);
  EXPECT_EQ(group.BlockBytes(), 61u * 73'728);
  EXPECT_EQ(group.SegmentCount(), 61u);
  EXPECT_EQ(group.SegmentBytes(), 73'728u);
  EXPECT_EQ(group.PartCount(), 1u);
  group.tokens_per_entry = 4;
  EXPECT_EQ(group.LayerBytes(), 16u * 1152);
}

TEST(GroupSpecTest, LayerIsPaddedToAlignmentThatIsNoPowerOfTwo) {
  GroupSpec group = Group(256, 1, 584);
  group.tokens_per_entry = 4;
  group.layer_align_bytes = 576;
  EXPECT_EQ(group.LayerBytes(), 37'440u);  // 64 rows are 37,376 bytes
}

TEST(GroupSpecTest, CheckpointHoldsOneEntryWhateverItsBlockTokens) {
  GroupSpec group = Group(256, 3, 5000);
  group.rule = HitRule::kCheckpoint;
  EXPECT_EQ(group.BlockBytes(), 15'000u);
}

TEST(GroupSpecTest, BlockOver64MiBIsCutIntoPartsOfWholeSegments) {
  GroupSpec group = Group(64, 69, 6 << 20);
  group.rule = HitRule::kCheckpoint;
  ASSERT_TRUE(Of(group).Validate().ok()) << Of(group).Validate();
  EXPECT_EQ(group.SegmentsPerPart(), 10u);
  EXPECT_EQ(group.PartCount(), 7u);
  uint32_t segments = 0;
  for (uint32_t part = 0; part < group.PartCount(); ++part) {
    EXPECT_LE(group.SegmentsOfPart(part) * group.SegmentBytes(), kMaxPayloadBytes);
    segments += group.SegmentsOfPart(part);
  }
  EXPECT_EQ(segments, 69u);
  EXPECT_EQ(group.SegmentsOfPart(6), 9u);
  EXPECT_EQ(group.SegmentsOfPart(7), 0u);
  EXPECT_EQ(group.SegmentsOfPart(UINT32_MAX), 0u);
}

TEST(GroupSpecTest, BlockOfExactly64MiBIsOnePart) {
  const GroupSpec group = Group(1, 64, 1 << 20);
  EXPECT_EQ(group.PartCount(), 1u);
  EXPECT_EQ(group.SegmentsOfPart(0), 64u);
}

TEST(LayoutTest, SampleIsValidAndSurvivesARoundTrip) {
  const Layout layout = samples::SampleLayout();
  ASSERT_TRUE(layout.Validate().ok()) << layout.Validate();
  const auto decoded = Layout::Decode(layout.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, layout);
  EXPECT_EQ(decoded->Fingerprint(), layout.Fingerprint());
}

TEST(LayoutTest, EveryFieldIsInTheFingerprint) {
  const Layout base = samples::SampleLayout();
  std::vector<Layout> variants(11, base);
  variants[1].name = "other";
  variants[2].groups[1].name = "w";
  variants[3].groups[1].window_tokens = 64;
  variants[4].groups[1].block_tokens = 64;
  variants[5].groups[1].layers = 4;
  variants[6].groups[1].tokens_per_entry = 4;
  variants[7].groups[1].bytes_per_entry = 585;
  variants[8].groups[1].layer_align_bytes = 1152;
  variants[9].groups[1].segments = 8;
  variants[10].groups.pop_back();
  for (size_t i = 0; i < variants.size(); ++i) {
    ASSERT_TRUE(variants[i].Validate().ok()) << i << ": " << variants[i].Validate();
    for (size_t j = 0; j < i; ++j) EXPECT_NE(variants[i].Fingerprint(), variants[j].Fingerprint()) << i << " " << j;
  }
}

TEST(LayoutTest, SegmentsEqualToLayersMeansOnePerLayer) {
  Layout explicit_segments = samples::SampleLayout();
  explicit_segments.groups[0].segments = 3;
  EXPECT_EQ(explicit_segments.Fingerprint(), samples::SampleLayout().Fingerprint());
}

TEST(LayoutTest, RestoreStepIsLeastCommonMultiple) {
  Layout layout = samples::SampleLayout();
  EXPECT_EQ(layout.RestoreStepTokens(), 64u);
  layout.groups[0].block_tokens = 48;
  EXPECT_EQ(layout.RestoreStepTokens(), 192u);
}

TEST(LayoutTest, BytesPerTokenCountsOnlyGroupsThatGrow) {
  EXPECT_DOUBLE_EQ(samples::SampleLayout().BytesPerToken(), 3 * 1152.0);
}

TEST(LayoutTest, ImpossibleFieldsAreNamed) {
  const auto with = [](auto change) {
    Layout layout = samples::SampleLayout();
    change(&layout);
    return layout;
  };
  ExpectInvalid(with([](Layout* l) { l->groups.clear(); }), "number of groups is 0; allowed: 1 to 16");
  ExpectInvalid(with([](Layout* l) { l->groups.resize(17, l->groups[0]); }), "number of groups is 17");
  ExpectInvalid(with([](Layout* l) { l->name = ""; }), "layout's name");
  ExpectInvalid(with([](Layout* l) { l->name = std::string(129, 'a'); }), "129 bytes");
  ExpectInvalid(with([](Layout* l) { l->groups[1].name = "line\n"; }), "printable ASCII");
  ExpectInvalid(with([](Layout* l) { l->groups[2].name = "latent"; }), "stands twice");
  ExpectInvalid(with([](Layout* l) { l->groups[0].rule = static_cast<HitRule>(3); }), "rule is 3; allowed: 0 to 2");
  ExpectInvalid(with([](Layout* l) { l->groups[0].window_tokens = 1; }), "window_tokens is 1; allowed: 0");
  ExpectInvalid(with([](Layout* l) { l->groups[1].window_tokens = 0; }), "window_tokens is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].block_tokens = 0; }), "group \"latent\": block_tokens is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].block_tokens = kMaxBlockTokens + 1; }), "block_tokens is 1048577");
  ExpectInvalid(with([](Layout* l) { l->groups[0].layers = 0; }), "layers is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].layers = 1025; }), "layers is 1025");
  ExpectInvalid(with([](Layout* l) { l->groups[0].tokens_per_entry = 0; }), "tokens_per_entry is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].tokens_per_entry = 3; }), "a divisor of block_tokens, 64");
  ExpectInvalid(with([](Layout* l) { l->groups[2].tokens_per_entry = 2; }), "checkpoint");
  ExpectInvalid(with([](Layout* l) { l->groups[0].bytes_per_entry = 0; }), "bytes_per_entry is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].layer_align_bytes = 0; }), "layer_align_bytes is 0");
  ExpectInvalid(with([](Layout* l) { l->groups[0].segments = 7; }), "segments is 7; allowed: a divisor");
  ExpectInvalid(with([](Layout* l) { l->groups[0].segments = 1152; }), "segments is 1152; allowed: 0 to 1024");
}

TEST(LayoutTest, SizesOverTheirLimitsAreRefusedNotWrapped) {
  ExpectInvalid(Of(Group(kMaxBlockTokens, 1024, 1u << 30)), "the bytes of a block is 1152921504606846976");
  ExpectInvalid(Of(Group(64, 1, UINT32_MAX)), "bytes_per_entry is 4294967295");
  ExpectInvalid(Of(Group(1, 1, (64 << 20) + 1)), "raise segments");
  Layout steps = {.name = "l"};
  for (uint32_t prime : {1021u, 1019u, 1013u}) {
    GroupSpec group = Group(prime, 1, 8);
    group.name = std::to_string(prime);
    steps.groups.push_back(group);
  }
  ExpectInvalid(steps, "least common multiple");
}

TEST(LayoutTest, EveryTruncationIsRefused) {
  const auto bytes = samples::SampleLayout().Encode();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(Layout::Decode(ByteView(bytes).first(length)).status().code(), absl::StatusCode::kInvalidArgument)
        << length;
  }
}

TEST(LayoutTest, BytesLeftOverAreRefused) {
  auto bytes = samples::SampleLayout().Encode();
  bytes.push_back(0);
  EXPECT_THAT(std::string(Layout::Decode(bytes).status().message()), HasSubstr("left over"));
}

TEST(LayoutTest, UnknownVersionIsRefusedByName) {
  auto bytes = samples::SampleLayout().Encode();
  samples::SetField<uint16_t>(&bytes, 4, 9);
  const absl::Status status = Layout::Decode(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version is 9, this build knows 1"));
}

TEST(LayoutTest, GroupCountBeyondTheBytesIsRefused) {
  auto bytes = samples::SampleLayout().Encode();
  for (uint16_t count : {0, 4, 16, 17, 65535}) {
    samples::SetField<uint16_t>(&bytes, 6, count);
    EXPECT_EQ(Layout::Decode(bytes).status().code(), absl::StatusCode::kInvalidArgument) << count;
  }
}

TEST(LayoutTest, SegmentsWrittenAsLayersIsNotCanonical) {
  Layout layout = Of(Group(64, 3, 8));
  auto bytes = layout.Encode();
  samples::SetField<uint32_t>(&bytes, bytes.size() - 4, 3);
  EXPECT_THAT(std::string(Layout::Decode(bytes).status().message()), HasSubstr("one encoding"));
}

TEST(LayoutTest, EveryFlippedBitIsRefusedOrMakesAnotherLayout) {
  const Layout layout = samples::SampleLayout();
  const auto bytes = layout.Encode();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto decoded = Layout::Decode(flipped);
    if (!decoded.ok()) continue;
    EXPECT_NE(*decoded, layout) << "bit " << bit;
    EXPECT_EQ(decoded->Encode(), flipped) << "bit " << bit;
  }
}

}  // namespace
}  // namespace incipit
