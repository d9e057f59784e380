#include "client/layouts/layouts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace incipit {
namespace {

using ::testing::HasSubstr;

Layout Named(std::string_view name, uint32_t block_tokens = 0) {
  auto layout = NamedLayout(name, block_tokens);
  EXPECT_TRUE(layout.ok()) << layout.status();
  return layout.ok() ? *layout : Layout{};
}

const GroupSpec& Group(const Layout& layout, std::string_view name) {
  for (const GroupSpec& group : layout.groups) {
    if (group.name == name) return group;
  }
  ADD_FAILURE() << "no group " << name << " in " << layout.name;
  return layout.groups.at(0);
}

TEST(LayoutsTest, AllShippedNamesAreValidAndDistinct) {
  std::set<LayoutFingerprint> fingerprints;
  for (const std::string& name : LayoutNames()) {
    const Layout layout = Named(name);
    EXPECT_EQ(layout.name, name);
    EXPECT_TRUE(layout.Validate().ok()) << layout.Validate();
    fingerprints.insert(layout.Fingerprint());
    const auto decoded = Layout::Decode(layout.Encode());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, layout);
  }
  EXPECT_EQ(fingerprints.size(), 8u);
}

TEST(LayoutsTest, BytesPerTokenAreThePublishedOnes) {
  EXPECT_DOUBLE_EQ(Named("deepseek-v3-bf16").BytesPerToken(), 70'272);
  EXPECT_DOUBLE_EQ(Named("deepseek-v3-fp8").BytesPerToken(), 40'016);
  EXPECT_DOUBLE_EQ(Named("deepseek-v3.2").BytesPerToken(), 48'068);
  EXPECT_DOUBLE_EQ(Named("deepseek-v4-flash").BytesPerToken(), 3'915);
  EXPECT_DOUBLE_EQ(Named("deepseek-v4-pro").BytesPerToken(), 5'609.25);
  EXPECT_DOUBLE_EQ(Named("deepseek-v4.1-flash").BytesPerToken(), 890);
  EXPECT_DOUBLE_EQ(Named("kimi-k3").BytesPerToken(), 27'648);
  EXPECT_DOUBLE_EQ(Named("llama-3.1-70b").BytesPerToken(), 327'680);
}

TEST(LayoutsTest, BlocksOf64TokensHaveTheKnownSizes) {
  EXPECT_EQ(Named("deepseek-v3-bf16").groups[0].BlockBytes(), 4'497'408u);
  EXPECT_EQ(Named("deepseek-v3-bf16").groups[0].SegmentBytes(), 73'728u);  // a published page
  EXPECT_EQ(Named("deepseek-v3-fp8").groups[0].SegmentBytes(), 64u * 656);
  const Layout v32 = Named("deepseek-v3.2");
  EXPECT_EQ(Group(v32, "latent").BlockBytes(), 61u * 64 * 656);
  EXPECT_EQ(Group(v32, "indexer").SegmentBytes(), 8'448u);  // a published page
  EXPECT_EQ(Named("deepseek-v4.1-flash").groups.size(), 1u);
  EXPECT_EQ(Named("deepseek-v4.1-flash").groups[0].BlockBytes(), 56'960u);
  EXPECT_EQ(Named("llama-3.1-70b").groups[0].BlockBytes(), 20'971'520u);
}

TEST(LayoutsTest, V4FlashAddsUpToThePublishedGroups) {
  const Layout layout = Named("deepseek-v4-flash");
  EXPECT_EQ(Group(layout, "csa-latent").SegmentBytes(), 37'440u);
  EXPECT_EQ(Group(layout, "csa-latent").BlockBytes() + Group(layout, "csa-indexer").BlockBytes() +
                Group(layout, "hca-latent").BlockBytes(),
            1'002'240u);
  EXPECT_EQ(Group(layout, "window").BlockBytes(), 823'680u + 786'240u);
  EXPECT_EQ(Group(layout, "window").window_tokens, 128u);
  EXPECT_EQ(Group(layout, "window").block_tokens, 64u);
  EXPECT_EQ(Group(layout, "csa-state").BlockBytes(), 870'912u);
  EXPECT_EQ(Group(layout, "hca-state").BlockBytes(), 656'640u);
  EXPECT_EQ(layout.RestoreStepTokens(), 256u);
}

TEST(LayoutsTest, V4ProWindowIsFourPointSixMegabytes) {
  const Layout layout = Named("deepseek-v4-pro");
  EXPECT_EQ(2 * Group(layout, "window").BlockBytes(), 4'567'680u);
  EXPECT_EQ(Group(layout, "csa-latent").layers + Group(layout, "hca-latent").layers, 61u);
}

TEST(LayoutsTest, KimiCheckpointTravelsInParts) {
  const Layout layout = Named("kimi-k3");
  const GroupSpec& kda = Group(layout, "kda");
  EXPECT_EQ(kda.rule, HitRule::kCheckpoint);
  EXPECT_EQ(kda.BlockBytes(), 434'110'464u);
  EXPECT_EQ(kda.PartCount(), 7u);
}

TEST(LayoutsTest, UsualBlockSizesWorkWhereTheyDivide) {
  for (const std::string& name : LayoutNames()) {
    const bool v4 = name == "deepseek-v4-flash" || name == "deepseek-v4-pro";
    for (uint32_t block_tokens : {16u, 64u, 128u, 256u}) {
      const auto layout = NamedLayout(name, block_tokens);
      if (v4 && block_tokens < 128) {
        EXPECT_EQ(layout.status().code(), absl::StatusCode::kInvalidArgument) << name << " " << block_tokens;
        EXPECT_THAT(std::string(layout.status().message()), HasSubstr("allowed: multiples of 128"));
        continue;
      }
      ASSERT_TRUE(layout.ok()) << layout.status();
      EXPECT_EQ(layout->groups[0].block_tokens, block_tokens);
      EXPECT_EQ(layout->RestoreStepTokens(), block_tokens) << name;
      if (!v4) {
        EXPECT_DOUBLE_EQ(layout->BytesPerToken(), Named(name).BytesPerToken()) << name << " " << block_tokens;
      }
    }
  }
}

TEST(LayoutsTest, OddBlockSizeOfV41IsRefusedWithTheRule) {
  const absl::Status status = NamedLayout("deepseek-v4.1-flash", 33).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("block_tokens is 33; allowed: multiples of 2"));
}

TEST(LayoutsTest, HugeBlockSizeIsRefused) {
  EXPECT_EQ(NamedLayout("llama-3.1-70b", 1 << 20).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(NamedLayout("llama-3.1-70b", UINT32_MAX).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LayoutsTest, UnknownNameListsTheKnownOnes) {
  const absl::Status status = NamedLayout("deepseek-v5").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  for (const std::string& name : LayoutNames()) EXPECT_THAT(std::string(status.message()), HasSubstr(name));
}

TEST(LayoutsTest, CustomIsOneGroup) {
  const auto layout = CustomLayout(4, 1000, 32);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->name, "custom");
  EXPECT_EQ(layout->groups.at(0).BlockBytes(), 128'000u);
  EXPECT_EQ(CustomLayout(0, 1000, 32).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CustomLayout(4, 0, 32).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CustomLayout(4, 1000, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace incipit
