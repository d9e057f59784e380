#include "transport/wire/activity_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/wire/messages.h"

namespace incipit::wire {
namespace {

using ::testing::HasSubstr;

DetailedStats Sample() {
  DetailedStats stats;
  stats.values = {{"blocks", 12}, {"sessions", 3}};
  stats.activity.namespaces = {{"acme", "deepseek-v3", "mla", 5, 6, 7, 8, 9}, {"other", "", "", 1, 2, 3, 4, 5}};
  stats.activity.hottest = {{1, {1, 2, 3, 4, 5, 6, 7, 8}, 640, 64, 2, uint64_t{1} << 60, 123'456'789},
                            {0, {9}, 0, 0, 0, 0, 1}};
  return stats;
}

std::vector<uint8_t> Encoded(const DetailedStats& stats) {
  std::vector<uint8_t> bytes;
  stats.Encode(&bytes);
  return bytes;
}

void ExpectRefused(const DetailedStats& stats, const char* text) {
  EXPECT_THAT(DetailedStats::Decode(Encoded(stats)).status().message(), HasSubstr(text));
}

TEST(ActivityMessages, WhatIsWrittenIsRead) {
  const auto read = DetailedStats::Decode(Encoded(Sample()));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->values, Sample().values);
  EXPECT_EQ(read->activity.namespaces, Sample().activity.namespaces);
  EXPECT_EQ(read->activity.hottest, Sample().activity.hottest);
}

TEST(ActivityMessages, WhatIsCutShortOrTooLongIsRefused) {
  const std::vector<uint8_t> bytes = Encoded(Sample());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(DetailedStats::Decode(ByteView(bytes).first(length)).ok()) << length;
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(DetailedStats::Decode(longer).ok());
}

TEST(ActivityMessages, CountsHaveLimitsAndBlocksANamespace) {
  DetailedStats stats = Sample();
  stats.activity.namespaces.resize(kMaxActiveNamespaces + 1, stats.activity.namespaces[0]);
  ExpectRefused(stats, "257 namespaces, over the limit of 256");
  stats = Sample();
  stats.activity.hottest.resize(kMaxHottestBlocks + 1);
  ExpectRefused(stats, "65 blocks, over the limit of 64");
  stats = Sample();
  stats.activity.hottest[0].name_space = 2;
  ExpectRefused(stats, "StatsReply.hottest.namespace: is none of those listed");
  std::vector<uint8_t> bytes;
  StatsReply{}.Encode(&bytes);
  bytes.insert(bytes.end(), {0xff, 0, 0, 0});  // 255 namespaces, and no byte of them
  EXPECT_FALSE(DetailedStats::Decode(bytes).ok());
}

TEST(ActivityMessages, AnEmptyRequestAsksForValuesAlone) {
  EXPECT_FALSE(StatsRequest::Decode({})->activity);
  std::vector<uint8_t> bytes;
  StatsRequest{}.Encode(&bytes);
  EXPECT_TRUE(bytes.empty());
  StatsRequest{.activity = true}.Encode(&bytes);
  EXPECT_TRUE(StatsRequest::Decode(bytes)->activity);
  for (const std::vector<uint8_t>& wrong : {std::vector<uint8_t>{0}, {2}, {1, 0}}) {
    EXPECT_FALSE(StatsRequest::Decode(wrong).ok());
  }
}

}  // namespace
}  // namespace incipit::wire
