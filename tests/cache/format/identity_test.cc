#include "cache/format/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using Buffer = std::array<uint8_t, kMaxFramedIdentityBytes>;

absl::StatusCode CodeOf(ByteView framed) { return ParseIdentity(framed).status().code(); }

TEST(IdentityTest, ParseGivesBackWhatWasFramed) {
  const auto identity = ParseIdentity(samples::SampleIdentity(3, 5, 32));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name_space, samples::SampleNamespace());
  EXPECT_EQ(identity->group, 3);
  EXPECT_EQ(identity->part, 5);
  EXPECT_EQ(identity->key, BlockKey(samples::CountingBytes(32, 1)));
}

TEST(IdentityTest, LongestNamesAndKeyFit) {
  NamespaceIdentity name_space{.tenant = std::string(kMaxNameBytes, 't'), .model = std::string(kMaxNameBytes, 'm')};
  Buffer buffer;
  const auto key = samples::CountingBytes(kMaxKeyBytes);
  const ByteView framed = FrameIdentity(FrameNamespace(name_space), kMaxGroups - 1, kMaxSegments - 1, key, &buffer);
  EXPECT_EQ(framed.size(), 363u);
  const auto identity = ParseIdentity(framed);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name_space, name_space);
  EXPECT_EQ(identity->key, BlockKey(key));
}

TEST(IdentityTest, EmptyNamesAreFramedToo) {
  Buffer buffer;
  const ByteView framed = FrameIdentity(FrameNamespace({}), 0, 0, samples::CountingBytes(1), &buffer);
  const auto identity = ParseIdentity(framed);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name_space, NamespaceIdentity{});
}

TEST(IdentityTest, BytesMovedBetweenNeighbouringFieldsGiveOtherIdentities) {
  std::set<std::vector<uint8_t>> seen;
  Buffer buffer;
  const auto frame = [&](std::string tenant, std::string model, GroupIndex group, uint16_t part, std::string_view key) {
    const ByteView framed = FrameIdentity(FrameNamespace({.tenant = std::move(tenant), .model = std::move(model)}),
                                          group, part, AsBytes(key), &buffer);
    return std::vector<uint8_t>(framed.begin(), framed.end());
  };
  seen.insert(frame("ab", "c", 0, 0, "k"));
  seen.insert(frame("a", "bc", 0, 0, "k"));
  seen.insert(frame("", "abc", 0, 0, "k"));
  seen.insert(frame("abc", "", 0, 0, "k"));
  seen.insert(frame("ab", "c", 1, 0, "k"));
  seen.insert(frame("ab", "c", 0, 1, "k"));
  seen.insert(frame("ab", "c", 0, 0, std::string_view("k\0", 2)));
  EXPECT_EQ(seen.size(), 7u);
}

TEST(IdentityTest, EveryTruncationIsRefused) {
  const auto framed = samples::SampleIdentity();
  for (size_t length = 0; length < framed.size(); ++length) {
    EXPECT_EQ(CodeOf(ByteView(framed).first(length)), absl::StatusCode::kInvalidArgument) << length;
  }
}

TEST(IdentityTest, BytesLeftOverAreRefused) {
  auto framed = samples::SampleIdentity();
  framed.push_back(0);
  EXPECT_THAT(std::string(ParseIdentity(framed).status().message()), HasSubstr("1 bytes left over"));
}

TEST(IdentityTest, OtherDomainOrVersionIsRefused) {
  for (size_t at : {0, 1}) {
    auto framed = samples::SampleIdentity();
    framed[at] ^= 0x20;
    EXPECT_EQ(CodeOf(framed), absl::StatusCode::kInvalidArgument) << at;
  }
}

TEST(IdentityTest, LengthsOverTheirLimitsAreRefused) {
  const auto sample = samples::SampleIdentity();
  const size_t group_at = FrameNamespace(samples::SampleNamespace()).size();
  for (uint16_t length : {5, 129, 65535}) {
    auto framed = sample;
    samples::SetField<uint16_t>(&framed, 2, length);
    EXPECT_EQ(CodeOf(framed), absl::StatusCode::kInvalidArgument) << length;
  }
  for (uint8_t length : {0, 31, 33, 65, 255}) {
    auto framed = sample;
    framed[group_at + 4] = length;
    EXPECT_EQ(CodeOf(framed), absl::StatusCode::kInvalidArgument) << int{length};
  }
  auto group = sample;
  samples::SetField<uint16_t>(&group, group_at, kMaxGroups);
  EXPECT_THAT(std::string(ParseIdentity(group).status().message()), HasSubstr("group is 16, limit 16"));
  auto part = sample;
  samples::SetField<uint16_t>(&part, group_at + 2, kMaxSegments);
  EXPECT_THAT(std::string(ParseIdentity(part).status().message()), HasSubstr("part is 1024, limit 1024"));
}

TEST(IdentityTest, KeyOf65BytesWithItsBytesIsRefused) {
  auto framed = samples::SampleIdentity(0, 0, 64);
  framed[framed.size() - 65] = 65;
  framed.push_back(1);
  EXPECT_THAT(std::string(ParseIdentity(framed).status().message()), HasSubstr("key has 65 bytes"));
}

TEST(IdentityTest, EveryFlippedBitIsRefusedOrMakesAnotherIdentity) {
  const auto sample = samples::SampleIdentity();
  const auto original = ParseIdentity(sample);
  ASSERT_TRUE(original.ok());
  for (size_t bit = 0; bit < sample.size() * 8; ++bit) {
    auto flipped = sample;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto parsed = ParseIdentity(flipped);
    if (parsed.ok()) {
      EXPECT_NE(*parsed, *original) << "bit " << bit;
    }
  }
}

TEST(BlockKeyTest, KeysOfDifferentLengthDiffer) {
  EXPECT_EQ(BlockKey(samples::CountingBytes(8)), BlockKey(samples::CountingBytes(8)));
  EXPECT_NE(BlockKey(samples::CountingBytes(8)), BlockKey(samples::CountingBytes(9)));
  EXPECT_NE(BlockKey(std::vector<uint8_t>{0}), BlockKey(std::vector<uint8_t>{0, 0}));
}

TEST(BlockKeyDeathTest, EmptyAndOverlongKeysAbort) {
  EXPECT_DEATH(BlockKey(ByteView{}), "1 to 64 bytes");
  EXPECT_DEATH(BlockKey(samples::CountingBytes(65)), "1 to 64 bytes");
}

TEST(HashSecretTest, EachSeedGivesItsOwnSecretAndHash) {
  const auto one = ExpandHashSecret(samples::CountingBytes(16));
  const auto two = ExpandHashSecret(samples::CountingBytes(17));
  EXPECT_EQ(one, ExpandHashSecret(samples::CountingBytes(16)));
  EXPECT_NE(one, two);
  const auto framed = samples::SampleIdentity();
  EXPECT_NE(IdentityHash(framed, one), IdentityHash(framed, two));
  std::set<std::vector<uint8_t>> blocks;
  for (size_t at = 0; at < one.size(); at += 32) blocks.insert({one.begin() + at, one.begin() + at + 32});
  EXPECT_EQ(blocks.size(), 6u);
}

}  // namespace
}  // namespace incipit
