// Hot blocks on real nodes: clients that load them make copies at other nodes, and spread over these.
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "cache/node/node.h"
#include "cluster/membership/cluster_map_json.h"
#include "incipit/client.h"
#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

constexpr size_t kBlocks = 6;
constexpr size_t kNodes = 4;

class HotCopiesTest : public ::testing::Test {
 protected:
  void StartNodes(uint64_t hot_bytes_per_s, uint32_t max_copies = 2) {
    map_.placement_seed = {9};
    for (size_t i = 0; i < kNodes; ++i) {
      NodeOptions options;
      options.listen = "127.0.0.1:0";
      options.http_listen.clear();
      options.shards = 1;
      options.ram_bytes = 8 << 20;
      options.huge_pages = false;
      options.limits.heat.block_bytes_per_s = hot_bytes_per_s;
      options.limits.heat.max_copies = max_copies;
      options.limits.heat.window_ns = 20'000'000;
      auto node = Node::Start(options);
      ASSERT_TRUE(node.ok()) << node.status();
      map_.nodes.push_back({.id = i + 1, .addresses = {"tcp://" + (*node)->address()}});
      nodes_.push_back(*std::move(node));
    }
    for (const auto& node : nodes_) node->PublishMap(MakePublishedMap(map_.epoch, EncodeClusterMap(map_)));
    for (size_t i = 0; i < kBlocks; ++i) {
      keys_.push_back(KeyOf(1, i));
      payloads_.push_back(PayloadOf(keys_.back(), 256));
    }
  }
  void TearDown() override {
    for (auto& node : nodes_) {
      if (node == nullptr) continue;
      EXPECT_TRUE(node->Stop(10'000).ok());
    }
  }
  std::unique_ptr<Client> Connect() {
    ClientOptions options;
    options.address = "cluster://" + nodes_[0]->address();
    options.model = "small-model";
    options.layout = SmallLayout();
    options.default_deadline_ms = 20'000;
    options.connect_timeout_ms = 20'000;
    auto client = Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  void StoreAll(Client* client) {
    StoreRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * 16,
                               .key = keys_[i].bytes(),
                               .buffer = {payloads_[i].data(), payloads_[i].size()}});
    }
    const auto stored = client->Store(request);
    ASSERT_TRUE(stored.ok()) << stored.status();
    ASSERT_EQ(stored->Count(BlockStatus::kOk), kBlocks);
  }
  // Match and load; every byte is compared.
  void Read(Client* client) {
    const auto match = client->Match({.groups = {KeyList(keys_)}});
    ASSERT_TRUE(match.ok()) << match.status();
    ASSERT_EQ(match->longest_tokens(), kBlocks * 16);
    std::vector<std::vector<uint8_t>> buffers(kBlocks, std::vector<uint8_t>(256));
    LoadRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * 16,
                               .key = keys_[i].bytes(),
                               .buffer = {buffers[i].data(), buffers[i].size()}});
    }
    const auto loaded = client->Load(request);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(loaded->hits, kBlocks);
    ASSERT_EQ(buffers, payloads_);
  }
  template <typename Count>
  std::vector<uint64_t> ByNode(Count count) {
    std::vector<uint64_t> counts;
    for (const auto& node : nodes_) {
      counts.push_back(0);
      for (const ShardReport& report : node->Reports()) counts.back() += count(report);
    }
    return counts;
  }
  uint64_t BlocksInAll() {
    const std::vector<uint64_t> counts = ByNode([](const ShardReport& report) { return report.gauges.blocks; });
    return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  }

  ClusterMap map_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<BlockKey> keys_;
  std::vector<std::vector<uint8_t>> payloads_;
};

TEST_F(HotCopiesTest, HotBlocksAreCopiedAndReadersSpread) {
  StartNodes(/*hot_bytes_per_s=*/1);  // whatever is loaded at all
  const auto first = Connect(), second = Connect();
  StoreAll(first.get());
  EXPECT_EQ(BlocksInAll(), kBlocks);
  // Each block gets its two copies, however the readers take turns; no more, and each only once.
  for (int i = 0; i < 3000 && BlocksInAll() < 3 * kBlocks; ++i) {
    Read(first.get());
    Read(second.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(BlocksInAll(), 3 * kBlocks);
  const ClientCounters before = first->counters();
  for (int i = 0; i < 50; ++i) Read(first.get());
  const ClientCounters after = first->counters();
  EXPECT_GT(after.copy_hits, before.copy_hits) << "reads spread";
  EXPECT_EQ(first->counters().copies_made + second->counters().copies_made, 2 * kBlocks);
  // Removing takes all of them.
  std::vector<BlockName> names;
  for (const BlockKey& key : keys_) names.push_back({.key = key.bytes()});
  ASSERT_TRUE(first->Remove({.blocks = names}).ok());
  EXPECT_EQ(BlocksInAll(), 0u);
}

// One client that reads alone gets every turn, so nodes are asked one after the other, and the owner not at all.
TEST_F(HotCopiesTest, ReadersTakeTurnsAtTheCopies) {
  StartNodes(/*hot_bytes_per_s=*/1, /*max_copies=*/3);
  const auto client = Connect();
  StoreAll(client.get());
  const std::vector<uint64_t> owned = ByNode([](const ShardReport& report) { return report.gauges.blocks; });
  for (int i = 0; i < 3000 && BlocksInAll() < 4 * kBlocks; ++i) {
    Read(client.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(BlocksInAll(), 4 * kBlocks);
  Read(client.get());              // learns where all copies are
  constexpr uint64_t kReads = 30;  // a multiple of the copies
  const auto loaded = [](const ShardReport& report) { return report.requests.load_bytes_ram; };
  bool even = false;  // not by chance: 30 reads of six blocks would have to fall evenly on three copies of each
  for (int round = 0; round < 50 && !even;
       ++round) {  // a node that answers late loses its turn, and 256 is no multiple of 3
    const uint64_t hits_before = client->counters().copy_hits;
    const std::vector<uint64_t> before = ByNode(loaded);
    for (uint64_t i = 0; i < kReads; ++i) Read(client.get());
    EXPECT_EQ(client->counters().copy_hits - hits_before, kReads * kBlocks) << "the owners are left out";
    // Each node has every block: some as their owner, the others as one of three copies.
    const std::vector<uint64_t> after = ByNode(loaded);
    even = true;
    for (size_t i = 0; i < kNodes; ++i) {
      even = even && after[i] - before[i] == (kBlocks - owned[i]) * (kReads / 3) * 256;
    }
  }
  EXPECT_TRUE(even);
}

TEST_F(HotCopiesTest, WhatIsNotHotStaysWhereItIs) {
  StartNodes(/*hot_bytes_per_s=*/1ull << 40);
  const auto client = Connect();
  StoreAll(client.get());
  for (int i = 0; i < 20; ++i) Read(client.get());
  EXPECT_EQ(BlocksInAll(), kBlocks);
  EXPECT_EQ(client->counters().copy_hits, 0u);
  EXPECT_EQ(client->counters().copies_made, 0u);
}

TEST_F(HotCopiesTest, ACopyServesWhileTheOwnerIsAway) {
  StartNodes(/*hot_bytes_per_s=*/1);
  const auto client = Connect();
  StoreAll(client.get());
  for (int i = 0; i < 3000 && BlocksInAll() < 3 * kBlocks; ++i) {
    Read(client.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(BlocksInAll(), 3 * kBlocks);
  Read(client.get());  // learns where all copies are
  ASSERT_TRUE(nodes_[1]->Stop(10'000).ok());
  nodes_[1].reset();
  std::vector<std::vector<uint8_t>> buffers(kBlocks, std::vector<uint8_t>(256));
  LoadRequest request;
  for (size_t i = 0; i < kBlocks; ++i) {
    request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * 16,
                             .key = keys_[i].bytes(),
                             .buffer = {buffers[i].data(), buffers[i].size()}});
  }
  const auto loaded = client->Load(request);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->hits, kBlocks);
  EXPECT_EQ(buffers, payloads_);
}

}  // namespace
}  // namespace incipit
