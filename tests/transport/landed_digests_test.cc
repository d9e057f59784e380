#include "transport/landed_digests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "cache/base/xxh3.h"

namespace incipit {
namespace {

constexpr uint32_t kSeed = 20261126;

std::vector<uint8_t> RandomBytes(size_t count, std::mt19937* random) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  return bytes;
}

// Cuts `bytes` bytes at random places.
std::vector<uint64_t> Cut(uint64_t bytes, uint64_t most, std::mt19937* random) {
  std::vector<uint64_t> parts;
  while (bytes > 0) {
    parts.push_back(std::min<uint64_t>(bytes, 1 + (*random)() % most));
    bytes -= parts.back();
  }
  return parts;
}

std::vector<iovec> Scatter(uint8_t* data, uint64_t bytes, std::mt19937* random) {
  std::vector<iovec> pieces;
  for (const uint64_t part : Cut(bytes, 9000, random)) {
    pieces.push_back({data, part});
    data += part;
  }
  return pieces;
}

TEST(LandedDigestsTest, WholePartsAreCopiedAndChecksummed) {
  std::mt19937 random(kSeed);
  const std::vector<uint8_t> from = RandomBytes(100'000, &random);
  std::vector<uint8_t> to(from.size());
  LandedDigests digests({60'000, 40'000});
  const std::vector<iovec> pieces = {{to.data(), to.size()}};
  digests.Place(0, from, pieces);
  EXPECT_EQ(to, from);
  EXPECT_EQ(digests.Of(0), Xxh3Of(ByteView(from).first(60'000)));
  EXPECT_EQ(digests.Of(1), Xxh3Of(ByteView(from).subspan(60'000)));
  EXPECT_EQ(digests.Of(2), std::nullopt) << "there are two parts";
}

TEST(LandedDigestsTest, OfPartsThatComeInPiecesNothingIsKnown) {
  std::mt19937 random(kSeed);
  const std::vector<uint8_t> from = RandomBytes(30'000, &random);
  std::vector<uint8_t> to(from.size());
  LandedDigests digests({10'000, 10'000, 10'000});
  for (const auto& [begin, end] : {std::pair{0, 15'000}, {15'000, 30'000}}) {
    const std::vector<iovec> pieces = {{to.data() + begin, static_cast<size_t>(end - begin)}};
    digests.Place(begin, ByteView(from).subspan(begin, end - begin), pieces);
  }
  EXPECT_EQ(to, from);
  EXPECT_EQ(digests.Of(0), Xxh3Of(ByteView(from).first(10'000)));
  EXPECT_EQ(digests.Of(1), std::nullopt);
  EXPECT_EQ(digests.Of(2), Xxh3Of(ByteView(from).subspan(20'000)));
}

TEST(LandedDigestsTest, BehindWhatCameByAnotherWay) {
  std::mt19937 random(kSeed);
  const std::vector<uint8_t> from = RandomBytes(20'000, &random);
  std::vector<uint8_t> to(15'000);
  LandedDigests digests({10'000, 10'000});
  digests.StartBehind(5'000);
  const std::vector<iovec> pieces = {{to.data(), to.size()}};
  digests.Place(0, ByteView(from).subspan(5'000), pieces);
  EXPECT_TRUE(std::equal(to.begin(), to.end(), from.begin() + 5'000));
  EXPECT_EQ(digests.Of(0), std::nullopt) << "its first bytes were not seen";
  EXPECT_EQ(digests.Of(1), Xxh3Of(ByteView(from).subspan(10'000)));
}

TEST(LandedDigestsTest, BytesBehindTheLastPartAreCopied) {
  std::mt19937 random(kSeed);
  const std::vector<uint8_t> from = RandomBytes(5'000, &random);
  std::vector<uint8_t> to(from.size());
  LandedDigests digests({1'000});
  const std::vector<iovec> pieces = {{to.data(), to.size()}};
  digests.Place(0, from, pieces);
  EXPECT_EQ(to, from);
}

TEST(LandedDigestsTest, WhateverIsKnownIsRight) {
  for (uint32_t round = 0; round < 200; ++round) {
    std::mt19937 random(kSeed + round);
    const std::vector<uint8_t> from = RandomBytes(1 + random() % 200'000, &random);
    std::vector<uint8_t> to(from.size());
    const std::vector<uint64_t> parts = Cut(from.size(), 1 + random() % 70'000, &random);
    LandedDigests digests(parts);
    uint64_t position = 0;
    for (const uint64_t bytes : Cut(from.size(), 1 + random() % 100'000, &random)) {
      digests.Place(position, ByteView(from).subspan(position, bytes), Scatter(to.data() + position, bytes, &random));
      position += bytes;
    }
    ASSERT_EQ(to, from) << "seed " << kSeed + round;
    position = 0;
    for (size_t part = 0; part < parts.size(); position += parts[part++]) {
      const std::optional<uint64_t> digest = digests.Of(part);
      if (!digest.has_value()) continue;
      ASSERT_EQ(*digest, Xxh3Of(ByteView(from).subspan(position, parts[part])))
          << "part " << part << ", seed " << kSeed + round;
    }
  }
}

}  // namespace
}  // namespace incipit
