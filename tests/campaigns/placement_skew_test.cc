// How evenly blocks of mixed sizes spread over nodes and their shards, and what a lookup costs.
// INCIPIT_CAMPAIGN_COUNT blocks from INCIPIT_SEED, 10,000 for each shard, on nodes of 8 shards.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <numeric>

#include "cache/format/identity.h"
#include "cache/seams/random.h"
#include "cluster/placement/cluster_placement.h"
#include "tests/support/campaign.h"
#include "transport/wire/placement.h"

namespace incipit {
namespace {

constexpr uint64_t kBlocksPerShard = 10'000;
constexpr uint16_t kShardsPerNode = 8;
// Bytes of blocks of several groups of a model: a factor of eight between the largest and the smallest.
constexpr uint64_t kBlockBytes[] = {4'497'408, 2'248'704, 1'124'352, 562'176};

// Of this thread: what other processes of the machine take does not count.
double CpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

TEST(PlacementSkew, BytesOfTheFullestShardAreWithinATenthOfTheMean) {
  const uint64_t blocks = testing::CampaignCount(1'000'000);
  const uint64_t node_count = std::max<uint64_t>(1, blocks / kBlocksPerShard / kShardsPerNode);
  SCOPED_TRACE(::testing::Message() << "seed " << testing::CampaignSeed());
  const auto random = MakeSeededRandom(testing::CampaignSeed());
  PlacementSeed seed;
  random->Fill(seed);
  std::vector<PlacementNode> nodes;
  std::vector<wire::Placement> shards_of;
  for (uint64_t i = 0; i < node_count; ++i) {
    nodes.push_back({random->Next(), 100, 0});
    PlacementSeed own;
    random->Fill(own);
    shards_of.emplace_back(own, nodes.back().id, kShardsPerNode);
  }
  const auto placement = ClusterPlacement::Make(seed, 1, nodes);
  ASSERT_TRUE(placement.ok()) << placement.status();

  const std::vector<uint8_t> name_space = FrameNamespace({.tenant = "acme", .model = "deepseek-v3"});
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  std::vector<uint64_t> bytes(node_count * kShardsPerNode);
  const double start_ns = CpuNs();
  for (uint64_t block = 0; block < blocks; ++block) {
    std::array<uint8_t, 32> key{};
    std::memcpy(key.data(), &block, sizeof(block));
    const auto group = static_cast<GroupIndex>(block % std::size(kBlockBytes));
    const ByteView framed = FrameIdentity(name_space, group, 0, key, &buffer);
    const size_t node = placement->OwnerOf(framed);
    bytes[node * kShardsPerNode + shards_of[node].ShardOf(framed)] += kBlockBytes[group];
  }
  const double took_ns = CpuNs() - start_ns;
  const double mean = std::accumulate(bytes.begin(), bytes.end(), 0.0) / static_cast<double>(bytes.size());
  const double skew = static_cast<double>(*std::max_element(bytes.begin(), bytes.end())) / mean;
  std::printf(
      "placement: %lu blocks of four sizes on %lu nodes of %u shards: bytes per shard max/mean %.4f; "
      "%.0f ns of CPU a lookup; seed %lu\n",
      blocks, node_count, kShardsPerNode, skew, took_ns / static_cast<double>(blocks), testing::CampaignSeed());
  EXPECT_LE(skew, 1.10);
}

}  // namespace
}  // namespace incipit
