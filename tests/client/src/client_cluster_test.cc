// Clients of several real nodes in this process. Nodes are stopped in the middle; every byte of every hit is compared.
#include "incipit/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "cache/format/identity.h"
#include "cache/node/node.h"
#include "cluster/membership/cluster_map_json.h"
#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBlocks = 90;
constexpr uint32_t kBlockTokens = 16;

class ClientClusterTest : public ::testing::Test {
 protected:
  void StartNodes(size_t count, bool publish = true) {
    map_.placement_seed = {7};
    for (size_t i = 0; i < count; ++i) {
      NodeOptions options;
      options.listen = "127.0.0.1:0";
      options.http_listen.clear();
      options.shards = 1;
      options.ram_bytes = 8 << 20;
      options.huge_pages = false;
      auto node = Node::Start(options);
      ASSERT_TRUE(node.ok()) << node.status();
      ClusterNode entry;
      entry.id = i + 1;
      entry.addresses = {"tcp://" + (*node)->address()};
      map_.nodes.push_back(entry);
      real_ids_.push_back((*node)->identity().node_id);
      nodes_.push_back(*std::move(node));
    }
    if (publish) Publish(map_);
  }
  // All nodes that run give this map from now on.
  void Publish(const ClusterMap& map) {
    published_ = map;
    for (const auto& node : nodes_) {
      if (node != nullptr) node->PublishMap(MakePublishedMap(map.epoch, EncodeClusterMap(map)));
    }
  }
  void WaitForEpoch(uint64_t epoch) {
    for (int i = 0; i < 2000 && client_->epoch() != epoch; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_EQ(client_->epoch(), epoch);
  }
  // Of one node, as it says itself.
  uint64_t StatOf(uint64_t node_id, const std::string& name) {
    const auto stats = client_->Stats();
    EXPECT_TRUE(stats.ok()) << stats.status();
    uint64_t sum = 0;
    for (const ShardStats& shard : stats.ok() ? *stats : std::vector<ShardStats>()) {
      if (shard.node_id != real_ids_[node_id - 1]) continue;
      for (const auto& [key, value] : shard.values) sum += key == name ? value : 0;
    }
    return sum;
  }
  void StopNode(size_t index) {
    EXPECT_TRUE(nodes_[index]->Stop(10'000).ok());
    nodes_[index].reset();
  }
  void TearDown() override {
    client_.reset();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i] != nullptr) StopNode(i);
    }
  }
  ClientOptions Options() {
    ClientOptions options;
    options.address = "cluster://" + nodes_[0]->address();
    options.model = "small-model";
    options.layout = SmallLayout();
    options.default_deadline_ms = 20'000;  // no node that is alive may need it, however busy the machine
    options.connect_timeout_ms = 20'000;
    return options;
  }
  void Connect() {
    auto client = Client::Connect(Options());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  void MakeChain() {
    for (size_t i = 0; i < kBlocks; ++i) {
      keys_.push_back(KeyOf(1, i));
      payloads_.push_back(PayloadOf(keys_.back(), 256));
      buffers_.emplace_back(256, 0);
    }
  }
  void StoreChain() {
    StoreRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * kBlockTokens,
                               .key = keys_[i].bytes(),
                               .buffer = {payloads_[i].data(), payloads_[i].size()}});
    }
    const auto stored = client_->Store(request);
    ASSERT_TRUE(stored.ok()) << stored.status();
    ASSERT_EQ(stored->Count(BlockStatus::kOk), kBlocks);
  }
  LoadRequest LoadOf() {
    LoadRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      std::fill(buffers_[i].begin(), buffers_[i].end(), uint8_t{0});
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * kBlockTokens,
                               .key = keys_[i].bytes(),
                               .buffer = {buffers_[i].data(), buffers_[i].size()}});
    }
    return request;
  }
  // Loads all; hits have the right bytes. Which blocks were hits.
  std::vector<bool> LoadChain() {
    const LoadRequest request = LoadOf();
    const auto loaded = client_->Load(request);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    std::vector<bool> hits(kBlocks);
    if (!loaded.ok()) return hits;
    for (size_t i = 0; i < kBlocks; ++i) {
      hits[i] = loaded->status[i] == BlockStatus::kOk;
      EXPECT_TRUE(!hits[i] || buffers_[i] == payloads_[i]) << "wrong bytes in block " << i;
    }
    EXPECT_EQ(loaded->hits, static_cast<uint64_t>(std::count(hits.begin(), hits.end(), true)));
    restorable_ = RestorableTokens(SmallLayout(), request, *loaded);
    return hits;
  }
  // Index in the map of the node that owns block `i`, by the placement itself.
  size_t OwnerOf(size_t i) const {
    std::vector<size_t> owners;
    const auto placement = PlacementOver(published_, &owners);
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    const auto name_space = FrameNamespace({"default", "small-model", SmallLayout().Fingerprint()});
    return owners[placement->OwnerOf(FrameIdentity(name_space, 0, 0, keys_[i].bytes(), &buffer))];
  }
  std::vector<bool> OwnedByOthersThan(size_t node) const {
    std::vector<bool> owned(kBlocks);
    for (size_t i = 0; i < kBlocks; ++i) owned[i] = OwnerOf(i) != node;
    return owned;
  }

  ClusterMap map_, published_;
  std::vector<uint64_t> real_ids_;  // as the nodes have them, by the map's id - 1
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Client> client_;
  std::vector<BlockKey> keys_;
  std::vector<std::vector<uint8_t>> payloads_, buffers_;
  uint64_t restorable_ = 0;
};

TEST_F(ClientClusterTest, WrongOptionsAreRefused) {
  StartNodes(1);
  ClientOptions options = Options();
  options.address = "cluster://";
  EXPECT_THAT(Client::Connect(options).status().message(), HasSubstr("0 seeds"));
  options.address = "cluster://127.0.0.1:1,ucx://127.0.0.1:2";
  EXPECT_THAT(Client::Connect(options).status().message(), HasSubstr("not on lane tcp"));
  options.address = "cluster://nonsense";
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect(options).status()));
  options = Options();
  options.replicas = ClientOptions::kMaxReplicas + 1;
  EXPECT_THAT(Client::Connect(options).status().message(), HasSubstr("replicas"));
  options = Options();
  options.model.clear();
  EXPECT_THAT(Client::Connect(options).status().message(), HasSubstr("model"));
  // A map in which no node has an address on the lane: nobody can be asked.
  ClusterMap other = map_;
  other.epoch = 2;
  other.nodes[0].addresses = {"ucx://127.0.0.1:1"};
  Publish(other);
  EXPECT_THAT(Client::Connect(Options()).status().message(), HasSubstr("no address on lane tcp"));
}

TEST_F(ClientClusterTest, WithoutAMapItSaysWhy) {
  StartNodes(1, /*publish=*/false);
  ClientOptions options = Options();
  options.connect_timeout_ms = 300;
  const absl::Status none = Client::Connect(options).status();
  EXPECT_TRUE(absl::IsUnavailable(none)) << none;
  EXPECT_THAT(none.message(), HasSubstr("--membership"));
}

TEST_F(ClientClusterTest, BlocksGoToTheirOwnersAndComeBack) {
  StartNodes(3);
  Connect();
  MakeChain();
  StoreChain();
  MatchRequest request;
  request.groups = {KeyList(keys_)};
  request.lease_ms = 1000;
  auto match = client_->Match(std::move(request));
  ASSERT_TRUE(match.ok()) << match.status();
  EXPECT_EQ(match->longest_tokens(), kBlocks * kBlockTokens);
  EXPECT_EQ(match->ram_bytes, kBlocks * 256);
  EXPECT_TRUE(match->complete);
  EXPECT_TRUE(match->lease.held());
  EXPECT_GT(match->lease_ms, 0u);
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, true));
  EXPECT_EQ(restorable_, kBlocks * kBlockTokens);
  for (uint64_t node = 1; node <= 3; ++node) {
    const auto others = OwnedByOthersThan(node - 1);
    EXPECT_EQ(StatOf(node, "blocks"), static_cast<uint64_t>(std::count(others.begin(), others.end(), false)));
    EXPECT_GT(StatOf(node, "load_hits_ram_total"), kBlocks / 10);
  }
  EXPECT_EQ(client_->nodes().size(), 3u);
  EXPECT_TRUE(client_->node().connected);
}

// Claims go over nodes: one worker has the whole, whoever else matches learns that it is at work, and waits.
TEST_F(ClientClusterTest, OneOfManyWorkersComputes) {
  StartNodes(3);
  Connect();
  MakeChain();
  auto other = Client::Connect(Options());
  ASSERT_TRUE(other.ok()) << other.status();
  auto ahead = client_->Match({.groups = {KeyList(keys_)}, .claim_ms = 30'000});
  ASSERT_TRUE(ahead.ok()) << ahead.status();
  EXPECT_EQ(ahead->flight, Flight::kClaimed);
  auto behind = (*other)->Match({.groups = {KeyList(keys_)}, .claim_ms = 30'000});
  ASSERT_TRUE(behind.ok()) << behind.status();
  EXPECT_EQ(behind->flight, Flight::kComputing);
  StoreChain();
  const auto waited = (*other)->Wait({.groups = {KeyList(keys_)}, .step_tokens = kBlocks * kBlockTokens});
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_EQ(waited->longest_tokens(), kBlocks * kBlockTokens);
}

TEST_F(ClientClusterTest, ClaimsAndWaitsGoOnWithoutANode) {
  StartNodes(3);
  Connect();
  MakeChain();
  auto other = Client::Connect(Options());
  ASSERT_TRUE(other.ok()) << other.status();
  StopNode(OwnerOf(0) == 1 ? 2 : 1);  // not that of the first block, which decides
  auto ahead = client_->Match({.groups = {KeyList(keys_)}, .claim_ms = 30'000});
  ASSERT_TRUE(ahead.ok()) << ahead.status();
  EXPECT_FALSE(ahead->complete);
  EXPECT_EQ(ahead->flight, Flight::kClaimed);
  StoreRequest request;
  request.items.push_back({.key = keys_[0].bytes(), .buffer = {payloads_[0].data(), payloads_[0].size()}});
  ASSERT_TRUE(client_->Store(request).ok());
  const auto waited = (*other)->Wait({.groups = {KeyList(keys_)}, .step_tokens = 1});
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_GE(waited->longest_tokens(), kBlockTokens);
}

TEST_F(ClientClusterTest, ReplicasOutliveANode) {
  StartNodes(3);
  ClientOptions options = Options();
  options.replicas = 2;
  auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
  MakeChain();
  StoreChain();
  EXPECT_EQ(StatOf(1, "blocks") + StatOf(2, "blocks") + StatOf(3, "blocks"), 2 * kBlocks);
  StopNode(1);
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, true));
  const auto match = client_->Match({.groups = {KeyList(keys_)}});
  ASSERT_TRUE(match.ok()) << match.status();
  EXPECT_EQ(match->longest_tokens(), kBlocks * kBlockTokens);
  EXPECT_GT(client_->counters().copy_hits, 0u);
  std::vector<BlockName> names;
  for (const BlockKey& key : keys_) names.push_back({.key = key.bytes()});
  ASSERT_TRUE(client_->Remove({.blocks = names}).ok());
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, false)) << "all copies are removed";
}

TEST_F(ClientClusterTest, OfferTouchAndRemoveReachTheOwners) {
  StartNodes(2);
  Connect();
  MakeChain();
  std::vector<BlockName> names;
  for (const BlockKey& key : keys_) names.push_back({.key = key.bytes()});
  EXPECT_EQ(client_->Offer({.blocks = names})->Count(BlockStatus::kWanted), kBlocks);
  StoreChain();
  EXPECT_EQ(client_->Offer({.blocks = names})->Count(BlockStatus::kPresent), kBlocks);
  EXPECT_EQ(client_->Touch({.blocks = names})->Count(BlockStatus::kOk), kBlocks);
  EXPECT_EQ(client_->Remove({.blocks = names})->Count(BlockStatus::kOk), kBlocks);
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, false));
}

TEST_F(ClientClusterTest, ADeadNodeCostsItsShareAndNothingElse) {
  StartNodes(3);
  Connect();
  MakeChain();
  StoreChain();
  StopNode(1);
  const std::vector<bool> others = OwnedByOthersThan(1);
  EXPECT_EQ(LoadChain(), others);
  const auto first_lost = static_cast<size_t>(std::find(others.begin(), others.end(), false) - others.begin());
  EXPECT_EQ(restorable_, first_lost * kBlockTokens) << "the longest prefix without a hole";
  MatchRequest request;
  request.groups = {KeyList(keys_)};
  const auto match = client_->Match(std::move(request));
  ASSERT_TRUE(match.ok()) << match.status();
  EXPECT_FALSE(match->complete);
  EXPECT_EQ(match->longest_tokens(), first_lost * kBlockTokens);
  for (size_t i = 0; i < kBlocks; ++i) EXPECT_EQ(match->presence[0][i] != Presence::kMiss, others[i]) << i;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(LoadChain(), others);
}

TEST_F(ClientClusterTest, ANodeThatStopsUnderLoadsGivesNoWrongByte) {
  StartNodes(3);
  Connect();
  MakeChain();
  StoreChain();
  const std::vector<bool> others = OwnedByOthersThan(2);
  std::promise<void> under_way;
  std::atomic<bool> stopped = false;
  std::thread loader([&] {
    for (int round = 0, after = 0; after < 3; ++round) {
      if (round == 10) under_way.set_value();
      if (stopped) ++after;
      const std::vector<bool> hits = LoadChain();
      for (size_t i = 0; i < kBlocks; ++i) EXPECT_TRUE(hits[i] || !others[i]) << "block " << i << " of a live node";
    }
  });
  under_way.get_future().wait();
  StopNode(2);
  stopped = true;
  loader.join();
  EXPECT_EQ(LoadChain(), others);
}

TEST_F(ClientClusterTest, WithoutAnyNodeStoresAreUnavailableAndLoadsMiss) {
  StartNodes(2);
  Connect();
  MakeChain();
  StopNode(0);
  StopNode(1);
  StoreRequest request;
  request.items.push_back({.key = keys_[0].bytes(), .buffer = {payloads_[0].data(), payloads_[0].size()}});
  EXPECT_EQ(client_->Store(request).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, false));
}

TEST_F(ClientClusterTest, ANewMapIsFollowedAtTheNextCall) {
  StartNodes(3, /*publish=*/false);
  map_.nodes[2].state = NodeState::kJoining;
  Publish(map_);
  Connect();
  MakeChain();
  StoreChain();
  EXPECT_EQ(client_->epoch(), 1u);
  map_.epoch = 2;
  map_.nodes[2].state = NodeState::kServing;
  Publish(map_);
  WaitForEpoch(2);
  // What now belongs to the third is missing, what does not move is still found.
  EXPECT_EQ(LoadChain(), OwnedByOthersThan(2));
  // A map in which nobody serves is not followed; the next one is.
  ClusterMap empty = map_;
  for (ClusterNode& node : empty.nodes) node.state = NodeState::kGone;
  empty.epoch = 3;
  Publish(empty);
  map_.epoch = 4;
  map_.nodes[2].state = NodeState::kGone;
  Publish(map_);
  WaitForEpoch(4);
  EXPECT_EQ(LoadChain(), std::vector<bool>(kBlocks, true));
}

TEST_F(ClientClusterTest, MistakesOfTheCallerAreTold) {
  StartNodes(2);
  Connect();
  MakeChain();
  const uint8_t nothing = 0;
  MatchRequest empty_keys;
  empty_keys.groups = {KeyList(&nothing, 3, 0)};
  EXPECT_THAT(client_->Match(empty_keys).status().message(), HasSubstr("key of 0 bytes"));
  LoadRequest load = LoadOf();
  load.items[5].group = 1;
  EXPECT_THAT(client_->Load(load).status().message(), HasSubstr("item 5"));
  load = LoadOf();
  load.items[3].buffer.iov_len = 255;
  EXPECT_TRUE(absl::IsInvalidArgument(client_->Load(load).status()));
}

}  // namespace
}  // namespace incipit
