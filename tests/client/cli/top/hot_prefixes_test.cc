#include "client/cli/top/hot_prefixes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using ::testing::ElementsAre;

// The block that ends at `end` tokens, last loaded by the request of `stamp`.
SeenBlock Block(uint64_t stamp, uint32_t end, uint64_t bytes_per_s, const std::string& node = "n1") {
  SeenBlock seen{.tenant = "acme", .model = "v3", .node = node};
  seen.block.key_start[0] = static_cast<uint8_t>(end / 64);
  seen.block.depth_tokens = end - 64;
  seen.block.block_tokens = 64;
  seen.block.stamp_ns = stamp;
  seen.block.bytes_per_s = bytes_per_s;
  return seen;
}

TEST(HotPrefixes, BlocksThatOneRequestLoadedLastAreOnePrefix) {
  const auto prefixes =
      HottestPrefixes({Block(7, 128, 90, "n2"), Block(7, 64, 100), Block(7, 192, 110), Block(8, 64, 40)});
  ASSERT_EQ(prefixes.size(), 2u);
  EXPECT_EQ(prefixes[0].tokens, 192u);
  EXPECT_EQ(prefixes[0].blocks, 3u);
  EXPECT_EQ(prefixes[0].bytes_per_s, 300u);
  EXPECT_EQ(prefixes[0].key_start, "0300000000000000");
  EXPECT_THAT(prefixes[0].nodes, ElementsAre("n1", "n2"));
  EXPECT_EQ(prefixes[1].bytes_per_s, 40u);
}

TEST(HotPrefixes, WhatFewerPromptsGoOnWithIsAPrefixOfItsOwn) {
  const auto prefixes =
      HottestPrefixes({Block(7, 64, 1000), Block(7, 128, 900), Block(7, 192, 300), Block(7, 256, 280)});
  ASSERT_EQ(prefixes.size(), 2u);
  EXPECT_EQ(prefixes[0].tokens, 128u) << "what all share";
  EXPECT_EQ(prefixes[1].tokens, 256u) << "one branch of it";
  EXPECT_EQ(prefixes[1].bytes_per_s, 580u);
}

TEST(HotPrefixes, NamespacesAreKeptApart) {
  SeenBlock other = Block(7, 64, 50);
  other.tenant = "other";
  other.block.copies = 3;
  const auto prefixes = HottestPrefixes({Block(7, 64, 100), other});
  ASSERT_EQ(prefixes.size(), 2u);
  EXPECT_EQ(prefixes[1].tenant, "other");
  EXPECT_EQ(prefixes[1].copies, 3);
  EXPECT_TRUE(HottestPrefixes({}).empty());
}

}  // namespace
}  // namespace incipit
