#include "cluster/membership/cluster_map_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "cache/seams/random.h"
#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::SampleClusterMap;
using testing::SampleClusterNode;

TEST(ClusterMapJson, MapsAndNodesAreReadBack) {
  EXPECT_EQ(DecodeClusterMap(EncodeClusterMap(SampleClusterMap())).value(), SampleClusterMap());
  EXPECT_EQ(DecodeClusterNode(EncodeClusterNode(SampleClusterNode(9))).value(), SampleClusterNode(9));
}

TEST(ClusterMapJson, WhatAnOperatorWritesNeedsLittle) {
  const auto map = DecodeClusterMap(R"({"format": "incipit-cluster-map", "version": 1, "later": [1, 2],
      "placement_seed": "00112233445566778899AABBCCDDEEFF",
      "nodes": [{"id": "00000000000000b2", "shards": 2, "addresses": ["tcp://b:1"], "later": {}},
                {"id": "00000000000000a1", "shards": 1, "addresses": ["tcp://a:1"], "weight": 5}]})");
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->epoch, 1u);
  ASSERT_EQ(map->nodes.size(), 2u);
  EXPECT_EQ(map->nodes[0].id, 0xa1u);
  EXPECT_EQ(map->nodes[0].weight, 5u);
  EXPECT_EQ(map->nodes[1].state, NodeState::kServing);
  EXPECT_EQ(map->placement_seed, SampleClusterMap().placement_seed);
}

TEST(ClusterMapJson, TheLargestMapFitsItsLimit) {
  ClusterMap map = SampleClusterMap();
  map.nodes.clear();
  for (uint64_t id = 0; id < kMaxClusterNodes; ++id) {
    ClusterNode node = SampleClusterNode(id);
    node.zone = std::string(kMaxZoneBytes, 'z');
    node.addresses.clear();
    for (size_t i = 0; i < kMaxNodeAddresses; ++i) {
      const std::string lane = absl::StrCat("lane", i, "://");
      node.addresses.push_back(lane + std::string(kMaxNodeAddressBytes - lane.size(), 'a'));
    }
    EXPECT_LE(EncodeClusterNode(node).size(), kMaxClusterNodeBytes);
    map.nodes.push_back(node);
  }
  const std::string text = EncodeClusterMap(map);
  EXPECT_LE(text.size(), kMaxClusterMapBytes);
  EXPECT_EQ(DecodeClusterMap(text).value(), map);
}

TEST(ClusterMapJson, BadFieldsAreNamed) {
  const std::string good = EncodeClusterMap(SampleClusterMap());
  const auto refused = [&](const char* from, const char* to) {
    const std::string text = absl::StrReplaceAll(good, {{from, to}});
    EXPECT_NE(text, good) << from;
    const absl::Status status = DecodeClusterMap(text).status();
    EXPECT_FALSE(status.ok()) << from << " -> " << to;
    return std::string(status.message());
  };
  EXPECT_THAT(refused("incipit-cluster-map", "other"), HasSubstr("\"format\""));
  EXPECT_THAT(refused("\"version\":1", "\"version\":2"), HasSubstr("version 2, this build knows 1"));
  EXPECT_THAT(refused("\"epoch\":7", "\"epoch\":0"), HasSubstr("epoch 0"));
  EXPECT_THAT(refused("\"epoch\":7", "\"epoch\":-7"), HasSubstr("\"epoch\""));
  EXPECT_THAT(refused("\"epoch\":7", "\"epoch\":7.5"), HasSubstr("\"epoch\""));
  EXPECT_THAT(refused("\"epoch\":7", "\"epoch\":9007199254740992"), HasSubstr("\"epoch\""));
  EXPECT_THAT(refused("ddeeff\"", "ddeef\""), HasSubstr("32 hexadecimal digits"));
  EXPECT_THAT(refused("ddeeff\"", "ddeefg\""), HasSubstr("32 hexadecimal digits"));
  EXPECT_THAT(refused("\"id\":\"0000000000000002\"", "\"id\":\"2\""), HasSubstr("node 1"));
  EXPECT_THAT(refused("\"id\":\"0000000000000002\"", "\"id\":2"), HasSubstr("\"id\""));
  EXPECT_THAT(refused("\"id\":\"0000000000000002\"", "\"id\":\"0000000000000001\""), HasSubstr("unique"));
  EXPECT_THAT(refused("draining", "dreaming"), HasSubstr("state"));
  EXPECT_THAT(refused("\"weight\":11", "\"weight\":65536"), HasSubstr("\"weight\""));
  EXPECT_THAT(refused("\"shards\":4", "\"shards\":\"4\""), HasSubstr("\"shards\""));
  EXPECT_THAT(refused("\"shards\"", "\"shard\""), HasSubstr("0 shards"));
  EXPECT_THAT(refused("\"addresses\"", "\"address\""), HasSubstr("\"addresses\""));
  EXPECT_THAT(refused("\"tcp://10.0.0.1:9400\"", "7"), HasSubstr("\"addresses\""));
  EXPECT_THAT(refused("\"nodes\":[", "\"nodes\":[7,"), HasSubstr("node 0: an object"));
  EXPECT_THAT(refused("\"nodes\"", "\"knots\""), HasSubstr("\"nodes\""));
}

TEST(ClusterMapJson, TextsOverTheLimitAreNotParsed) {
  EXPECT_THAT(DecodeClusterMap(std::string(kMaxClusterMapBytes + 1, ' ')).status().message(), HasSubstr("at most"));
  EXPECT_THAT(DecodeClusterNode(std::string(kMaxClusterNodeBytes + 1, ' ')).status().message(), HasSubstr("at most"));
}

TEST(ClusterMapJson, DamagedTextsAreRefusedOrStillAMap) {
  const std::string good = EncodeClusterMap(SampleClusterMap());
  for (uint64_t seed = 1; seed <= 2'000; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const auto random = MakeSeededRandom(seed);
    std::string text = good;
    for (uint64_t i = 0; i <= random->Below(4); ++i)
      text[random->Below(text.size())] = static_cast<char>(random->Next());
    if (seed % 4 == 0) text.resize(random->Below(text.size()));
    const auto map = DecodeClusterMap(text);
    EXPECT_TRUE(!map.ok() || CheckClusterMap(*map).ok());
    EXPECT_FALSE(seed % 4 == 0 && map.ok()) << "it was cut short";
  }
  EXPECT_FALSE(DecodeClusterMap(std::string(100'000, '[')).ok());
  EXPECT_FALSE(DecodeClusterMap("").ok());
}

}  // namespace
}  // namespace incipit
