// Clients of several real nodes in this process. Nodes are stopped in the middle; every byte of every hit is compared.
#include "incipit/cluster_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "cache/format/identity.h"
#include "cache/node/node.h"
#include "tests/client/src/core/client_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr size_t kBlocks = 90;
constexpr uint32_t kBlockTokens = 16;

// A map that the test changes.
class TestMembership : public ClusterMembership {
 public:
  std::shared_ptr<const ClusterMap> Map() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return map_;
  }
  void Set(ClusterMap map) {
    const std::lock_guard<std::mutex> lock(mutex_);
    map_ = std::make_shared<const ClusterMap>(std::move(map));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const ClusterMap> map_;
};

class ClusterClientTest : public ::testing::Test {
 protected:
  void StartNodes(size_t count) {
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
      nodes_.push_back(*std::move(node));
    }
    membership_->Set(map_);
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
  ClusterClientOptions Options() {
    ClusterClientOptions options;
    options.client.model = "small-model";
    options.client.layout = SmallLayout();
    options.client.default_deadline_ms = 20'000;  // no node that is alive may need it, however busy the machine
    options.membership = membership_;
    return options;
  }
  void Connect() {
    auto client = ClusterClient::Connect(Options());
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
    restorable_ = ClusterClient::RestorableTokens(SmallLayout(), request, *loaded);
    return hits;
  }
  // Index in the map of the node that owns block `i`, by the placement itself.
  size_t OwnerOf(size_t i) const {
    std::vector<size_t> owners;
    const auto placement = PlacementOver(*membership_->Map(), &owners);
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    const auto name_space = FrameNamespace({"default", "small-model", SmallLayout().Fingerprint()});
    return owners[placement->OwnerOf(FrameIdentity(name_space, 0, 0, keys_[i].bytes(), &buffer))];
  }
  std::vector<bool> OwnedByOthersThan(size_t node) const {
    std::vector<bool> owned(kBlocks);
    for (size_t i = 0; i < kBlocks; ++i) owned[i] = OwnerOf(i) != node;
    return owned;
  }

  std::shared_ptr<TestMembership> membership_ = std::make_shared<TestMembership>();
  ClusterMap map_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<ClusterClient> client_;
  std::vector<BlockKey> keys_;
  std::vector<std::vector<uint8_t>> payloads_, buffers_;
  uint64_t restorable_ = 0;
};

TEST_F(ClusterClientTest, WrongOptionsAreRefused) {
  EXPECT_EQ(ClusterClient::Connect(Options()).status().code(), absl::StatusCode::kUnavailable) << "no map yet";
  map_.nodes = {{.id = 1, .addresses = {"ucx://127.0.0.1:1"}}};
  membership_->Set(map_);
  EXPECT_THAT(ClusterClient::Connect(Options()).status().message(), HasSubstr("no address on lane tcp"));
  ClusterClientOptions options = Options();
  options.membership = nullptr;
  EXPECT_THAT(ClusterClient::Connect(options).status().message(), HasSubstr("membership"));
  options = Options();
  options.client.address = "tcp://a:1";
  EXPECT_THAT(ClusterClient::Connect(options).status().message(), HasSubstr("address"));
  options = Options();
  options.client.progress = Progress::kCaller;
  EXPECT_THAT(ClusterClient::Connect(options).status().message(), HasSubstr("progress"));
  options = Options();
  options.client.model.clear();
  EXPECT_THAT(ClusterClient::Connect(options).status().message(), HasSubstr("model"));
}

TEST_F(ClusterClientTest, BlocksGoToTheirOwnersAndComeBack) {
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
    EXPECT_EQ(client_->CountersOf(node).blocks_loaded,
              static_cast<uint64_t>(std::count(others.begin(), others.end(), false)));
    EXPECT_GT(client_->CountersOf(node).blocks_loaded, kBlocks / 10);
  }
  EXPECT_EQ(client_->CountersOf(99).loads, 0u);
}

TEST_F(ClusterClientTest, OfferTouchAndRemoveReachTheOwners) {
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

TEST_F(ClusterClientTest, ADeadNodeCostsItsShareAndNothingElse) {
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
  EXPECT_GE(client_->CountersOf(2).connection_failures, 1u);
  EXPECT_EQ(client_->CountersOf(1).connection_failures, 0u);
}

TEST_F(ClusterClientTest, ANodeThatStopsUnderLoadsGivesNoWrongByte) {
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

TEST_F(ClusterClientTest, WithoutAnyNodeStoresAreUnavailableAndLoadsMiss) {
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

TEST_F(ClusterClientTest, ANewMapIsFollowedAtTheNextCall) {
  StartNodes(3);
  ClusterMap two = map_;
  two.nodes[2].state = NodeState::kJoining;
  membership_->Set(two);
  Connect();
  MakeChain();
  StoreChain();
  EXPECT_EQ(client_->epoch(), 1u);
  EXPECT_EQ(client_->CountersOf(3).stores, 0u);
  map_.epoch = 2;
  membership_->Set(map_);
  // What now belongs to the third is missing, what does not move is still found.
  EXPECT_EQ(LoadChain(), OwnedByOthersThan(2));
  EXPECT_EQ(client_->epoch(), 2u);
  // A map that is older, or in which nobody serves, is not followed.
  membership_->Set(two);
  EXPECT_EQ(client_->Offer({})->status.size(), 0u);
  EXPECT_EQ(client_->epoch(), 2u);
  for (ClusterNode& node : two.nodes) node.state = NodeState::kGone;
  two.epoch = 3;
  membership_->Set(two);
  EXPECT_TRUE(client_->Offer({}).ok());
  EXPECT_EQ(client_->epoch(), 2u);
}

TEST_F(ClusterClientTest, MistakesOfTheCallerAreTold) {
  StartNodes(2);
  Connect();
  MakeChain();
  MatchRequest claims;
  claims.groups = {KeyList(keys_)};
  claims.claim_ms = 100;
  EXPECT_THAT(client_->Match(claims).status().message(), HasSubstr("claims"));
  EXPECT_THAT(client_->Match({}).status().message(), HasSubstr("0 lists, the layout has 1 groups"));
  const uint8_t nothing = 0;
  MatchRequest empty_keys;
  empty_keys.groups = {KeyList(&nothing, 3, 0)};
  EXPECT_THAT(client_->Match(empty_keys).status().message(), HasSubstr("has 0 bytes"));
  LoadRequest load = LoadOf();
  load.items[5].group = 1;
  EXPECT_THAT(client_->Load(load).status().message(), HasSubstr("block 5"));
  load = LoadOf();
  load.items[3].buffer.iov_len = 255;
  EXPECT_TRUE(absl::IsInvalidArgument(client_->Load(load).status()));
}

}  // namespace
}  // namespace incipit
