// Long file: all of it needs the same redis-server, nodes and client of them, which are made here.
// A node in a cluster: a real redis-server, real nodes, and what they tell clients and operators.
#include "cluster/node/cluster_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "client/layouts/layouts.h"
#include "cluster/membership/cluster_map_json.h"
#include "incipit/client.h"
#include "incipit/seed_membership.h"
#include "tests/support/cluster_maps.h"
#include "tests/support/redis_server.h"
#include "tests/support/ucx_here.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::RedisServer;

constexpr uint32_t kLongMs = 20'000;

// True once `wanted` holds, which is asked again and again for a minute at most.
template <typename Wanted>
bool Eventually(const Wanted& wanted) {
  for (int i = 0; i < 6000; ++i) {
    if (wanted()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class ClusterAgentTest : public ::testing::Test {
 protected:
  ClusterAgentTest() {
    std::string pattern = ::testing::TempDir() + "/agent.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~ClusterAgentTest() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<Node> StartNode(const std::string& state = "", const std::string& listen = "127.0.0.1:0",
                                  const std::string& listen_ucx = "") {
    NodeOptions options;
    options.listen = listen;
    options.insecure = true;
    options.shards = 2;
    options.ram_bytes = 16 << 20;
    options.huge_pages = false;
    options.tenants_path = tenants_path_;
    options.listen_ucx = listen_ucx;
    if (!listen_ucx.empty()) options.ucx = testing::TestUcxSettings();
    if (!state.empty()) options.state_dir = directory_ + "/" + state;
    auto node = Node::Start(options);
    EXPECT_TRUE(node.ok()) << node.status();
    return node.ok() ? *std::move(node) : nullptr;
  }
  ClusterAgentOptions Redis(const RedisServer& redis) const {
    ClusterAgentOptions options;
    options.source = "redis+unix://" + redis.Address().socket_path + "?cluster=test";
    options.lease_ms = kLongMs;
    return options;
  }
  // One tenant, "a", with a quota of RAM over the whole cluster.
  void WriteTenants(uint64_t cluster_bytes) const {
    std::ofstream(tenants_path_) << "[[tenant]]\nname = \"a\"\nsecret = \"00112233445566778899aabbccddeeff\"\n"
                                 << "cluster_ram_quota_bytes = " << cluster_bytes << "\n";
    std::filesystem::permissions(tenants_path_,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string directory_;
  std::string tenants_path_;  // empty: nodes have none
};

TEST_F(ClusterAgentTest, NodesJoinAndTheirClientsLearnOfAll) {
  RedisServer redis;
  const auto first = StartNode(), second = StartNode();
  ClusterAgentOptions options = Redis(redis);
  options.zone = "rack-1";
  options.weight = 7;
  auto one = ClusterAgent::Start(first.get(), options);
  auto two = ClusterAgent::Start(second.get(), Redis(redis));
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  const auto seeds = SeedMembership::Start({.seeds = {"tcp://" + first->address()}, .timeout_ms = kLongMs});
  ASSERT_TRUE(seeds.ok()) << seeds.status();
  ASSERT_TRUE(Eventually([&] {
    const auto map = (*seeds)->Map();
    return map != nullptr && map->nodes.size() == 2;
  }));
  const auto map = (*seeds)->Map();
  const ClusterNode* found = map->Find(first->identity().node_id);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, (*one)->self());
  EXPECT_EQ(found->zone, "rack-1");
  EXPECT_EQ(found->weight, 7u);
  EXPECT_EQ(found->incarnation, first->identity().incarnation);
  EXPECT_EQ(found->AddressOn("tcp"), "tcp://" + first->address());
  EXPECT_EQ(map->Find(second->identity().node_id)->weight, 1u);  // 16 MiB

  (*two)->Leave();
  EXPECT_TRUE(Eventually([&] { return (*seeds)->Map()->Find(second->identity().node_id)->state == NodeState::kGone; }));
  const ClusterGauges gauges = (*one)->gauges();
  EXPECT_EQ(gauges.nodes, 2u);
  EXPECT_EQ(gauges.nodes_serving, 1u);
  EXPECT_EQ(gauges.state, "serving");
  EXPECT_TRUE(gauges.joined);
  EXPECT_GT(gauges.calls, 0u);
}

TEST_F(ClusterAgentTest, ARestartedNodeIsTheSameNode) {
  RedisServer redis;
  auto node = StartNode("n");
  const uint64_t id = node->identity().node_id, incarnation = node->identity().incarnation;
  auto agent = ClusterAgent::Start(node.get(), Redis(redis));
  ASSERT_TRUE(agent.ok()) << agent.status();
  ASSERT_TRUE(Eventually([&] { return (*agent)->gauges().joined; }));
  agent->reset();  // as a crash: the lease stays
  ASSERT_TRUE(node->Stop(10'000).ok());
  node.reset();
  node = StartNode("n");
  EXPECT_EQ(node->identity().node_id, id);
  EXPECT_GT(node->identity().incarnation, incarnation);
  agent = ClusterAgent::Start(node.get(), Redis(redis));
  ASSERT_TRUE(agent.ok()) << agent.status();
  ASSERT_TRUE(Eventually([&] {
    const auto map = (*agent)->Map();
    return map != nullptr && map->nodes.size() == 1 && map->nodes[0].incarnation == node->identity().incarnation;
  }));
}

TEST_F(ClusterAgentTest, OfTwoProcessesWithOneDirectoryTheOlderIsFenced) {
  RedisServer redis;
  const auto old_node = StartNode("n"), new_node = StartNode("n");
  std::atomic<bool> fenced = false;
  ClusterAgentOptions options = Redis(redis);
  options.lease_ms = 300;  // a third of it passes until the next renewal finds out
  options.on_fenced = [&](const absl::Status&) { fenced = true; };
  auto old_agent = ClusterAgent::Start(old_node.get(), options);
  ASSERT_TRUE(old_agent.ok()) << old_agent.status();
  ASSERT_TRUE(Eventually([&] { return (*old_agent)->gauges().joined; }));
  options.on_fenced = nullptr;
  auto new_agent = ClusterAgent::Start(new_node.get(), options);
  ASSERT_TRUE(new_agent.ok()) << new_agent.status();
  EXPECT_TRUE(Eventually([&] { return fenced.load(); }));
  EXPECT_TRUE((*old_agent)->gauges().fenced);
  EXPECT_FALSE((*new_agent)->gauges().fenced);
}

TEST_F(ClusterAgentTest, WithoutRedisANodeServesAllTheSame) {
  const auto node = StartNode();
  ClusterAgentOptions options;
  options.source = "redis+unix:///nowhere/redis.sock?cluster=test";
  auto agent = ClusterAgent::Start(node.get(), options);
  ASSERT_TRUE(agent.ok()) << agent.status();
  ASSERT_TRUE(Eventually([&] { return (*agent)->gauges().errors_unreachable > 0; }));
  const ClusterGauges gauges = (*agent)->gauges();
  EXPECT_EQ(gauges.epoch, 0u);
  EXPECT_EQ(gauges.state, "absent");
  EXPECT_FALSE(gauges.connected);
  EXPECT_NE(gauges.last_error, "");
  EXPECT_EQ(node->Reports().size(), 2u);
}

TEST_F(ClusterAgentTest, AFileGivesTheMapToo) {
  const auto node = StartNode();
  ClusterMap map = testing::SampleClusterMap();
  map.nodes[0].addresses[0] = "tcp://" + node->address();
  const std::string path = directory_ + "/map.json";
  std::ofstream(path) << EncodeClusterMap(map);
  for (const std::string& source : {path, "static:" + path}) {
    ClusterAgentOptions options;
    options.source = source;
    auto agent = ClusterAgent::Start(node.get(), options);
    ASSERT_TRUE(agent.ok()) << agent.status();
    EXPECT_EQ((*agent)->gauges().state, "serving");
    EXPECT_EQ((*agent)->gauges().nodes, map.nodes.size());
  }
  const auto seeds = SeedMembership::Start({.seeds = {"tcp://" + node->address()}, .timeout_ms = kLongMs});
  ASSERT_TRUE(seeds.ok()) << seeds.status();
  const auto given = (*seeds)->WaitForMap(kLongMs);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(**given, map);
}

// Blocks of a chain whose bytes follow from their number.
class Chain {
 public:
  static constexpr size_t kBlocks = 200, kBytes = 16 * 1024;
  Chain() {
    for (size_t i = 0; i < kBlocks; ++i) {
      std::vector<uint8_t> key(32, static_cast<uint8_t>(i));
      key[0] = 77;
      keys_.emplace_back(key);
      payloads_.emplace_back(kBytes);
      for (size_t at = 0; at < kBytes; ++at) payloads_[i][at] = static_cast<uint8_t>(i * 31 + at * 7);
    }
  }
  static ClientOptions Options(const std::string& seed) {
    ClientOptions options;
    options.address = "cluster://" + seed;
    options.model = "model";
    options.layout = *CustomLayout(4, 256, 16);
    options.default_deadline_ms = kLongMs;
    options.connect_timeout_ms = kLongMs;
    return options;
  }
  void StoreBy(Client* client) {
    StoreRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * 16),
                               .key = keys_[i].bytes(),
                               .buffer = {payloads_[i].data(), kBytes}});
    }
    const auto stored = client->Store(request);
    ASSERT_TRUE(stored.ok()) << stored.status();
    ASSERT_EQ(stored->Count(BlockStatus::kOk), kBlocks);
  }
  // How many blocks there are; every byte is compared.
  size_t LoadBy(Client* client) {
    std::vector<std::vector<uint8_t>> into(kBlocks, std::vector<uint8_t>(kBytes));
    LoadRequest request;
    for (size_t i = 0; i < kBlocks; ++i) {
      request.items.push_back(
          {.depth_tokens = static_cast<uint32_t>(i * 16), .key = keys_[i].bytes(), .buffer = {into[i].data(), kBytes}});
    }
    const auto loaded = client->Load(request);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    for (size_t i = 0; loaded.ok() && i < kBlocks; ++i) {
      if (loaded->status[i] != BlockStatus::kOk) continue;
      EXPECT_EQ(into[i], payloads_[i]) << "block " << i;
    }
    return loaded.ok() ? loaded->hits : 0;
  }
  size_t MatchBy(Client* client) {
    MatchRequest request;
    request.groups.emplace_back(keys_);
    const auto matched = client->Match(request);
    EXPECT_TRUE(matched.ok()) << matched.status();
    if (!matched.ok()) return 0;
    const auto& presence = matched->presence[0];
    return presence.size() - static_cast<size_t>(std::count(presence.begin(), presence.end(), Presence::kMiss));
  }

 private:
  std::vector<BlockKey> keys_;
  std::vector<std::vector<uint8_t>> payloads_;
};

// Of nodes that all have both lanes.
class ClusterLanesTest : public ClusterAgentTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (is_ucx()) INCIPIT_SKIP_WITHOUT_UCX();
  }
  static bool is_ucx() { return std::string_view(GetParam()) != "tcp"; }
  static PeerCounters CountersOf(Node* node) {
    PeerCounters sum;
    for (const ShardReport& report : node->Reports()) {
      sum.taken_blocks += report.peers.taken_blocks;
      sum.taken_bytes += report.peers.taken_bytes;
      sum.given_bytes += report.peers.given_bytes;
      sum.lane_failures += report.peers.lane_failures;
      for (size_t lane = 0; lane < kLaneKinds; ++lane) {
        sum.lanes[lane].received += report.peers.lanes[lane].received;
        sum.lanes[lane].sent += report.peers.lanes[lane].sent;
      }
    }
    return sum;
  }
  static void ExpectLane(const PeerCounters& counters) {
    const auto& taken = counters.lane(is_ucx() ? LaneKind::kUcx : LaneKind::kTcp);
    const auto& other = counters.lane(is_ucx() ? LaneKind::kTcp : LaneKind::kUcx);
    EXPECT_GE(taken.received, counters.taken_bytes);
    EXPECT_GE(taken.sent, counters.given_bytes);
    EXPECT_EQ(other.received + other.sent, 0u);
    EXPECT_EQ(counters.lane_failures, 0u);
  }
};
INSTANTIATE_TEST_SUITE_P(Lanes, ClusterLanesTest, ::testing::Values("auto", "ucx", "tcp"),
                         [](const auto& lane) { return std::string(lane.param); });

TEST_P(ClusterLanesTest, BlocksFollowTheMapWhenNodesComeAndGo) {
  RedisServer redis;
  const std::string ucx = is_ucx() ? testing::TestUcxHost() + ":0" : "";
  const auto first = StartNode("", "127.0.0.1:0", ucx), second = StartNode("", "127.0.0.1:0", ucx);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  ClusterAgentOptions options = Redis(redis);
  options.peer_lane = GetParam();
  auto one = ClusterAgent::Start(first.get(), options);
  ASSERT_TRUE(one.ok()) << one.status();
  auto client = Client::Connect(Chain::Options(first->address()));
  ASSERT_TRUE(client.ok()) << client.status();
  Chain chain;
  chain.StoreBy(client->get());
  auto two = ClusterAgent::Start(second.get(), options);
  ASSERT_TRUE(two.ok()) << two.status();
  ASSERT_TRUE(Eventually([&] {  // until the client's map has both
    chain.MatchBy(client->get());
    return (*two)->gauges().nodes_serving == 2 && (*client)->epoch() == (*two)->Map()->epoch;
  }));
  EXPECT_EQ(chain.MatchBy(client->get()), Chain::kBlocks);
  EXPECT_EQ(chain.LoadBy(client->get()), Chain::kBlocks);
  const PeerCounters taken = CountersOf(second.get());
  EXPECT_GT(taken.taken_blocks, 0u);
  ExpectLane(taken);

  ASSERT_NE((*one)->control(), nullptr);
  const auto begun = (*one)->control()->Drain({wire::DrainAction::kBegin, false, 60'000, 0});
  ASSERT_TRUE(begun.ok()) << begun.status();
  ASSERT_TRUE(Eventually([&] { return (*one)->gauges().drain == "left"; }));
  const wire::DrainProgress progress = (*one)->gauges().drain_progress;
  EXPECT_EQ(progress.total.blocks, Chain::kBlocks);
  EXPECT_EQ(progress.moved.blocks + progress.present.blocks, Chain::kBlocks);
  EXPECT_GT(progress.moved.blocks, 0u);
  const PeerCounters given = CountersOf(first.get());
  EXPECT_EQ(given.given_bytes, progress.moved.bytes);
  ExpectLane(given);
  ASSERT_TRUE(first->Stop(10'000).ok());
  ASSERT_TRUE(Eventually([&] { return chain.MatchBy(client->get()) == Chain::kBlocks; }));
  EXPECT_EQ(chain.LoadBy(client->get()), Chain::kBlocks);
}

// A tenant's quota on a node, all shards together.
uint64_t RamQuotaOf(Node* node, const std::string& tenant) {
  uint64_t bytes = 0;
  for (const ShardReport& report : node->Reports()) {
    for (const TenantReport& one : report.tenants) bytes += one.name == tenant ? one.usage.quota.ram_bytes : 0;
  }
  return bytes;
}

TEST_F(ClusterAgentTest, SharesOfAClusterQuotaFollowTheMapAndTheTenantsFile) {
  RedisServer redis;
  tenants_path_ = directory_ + "/tenants.toml";
  WriteTenants(12'000'000);
  const auto first = StartNode(), second = StartNode();
  EXPECT_EQ(RamQuotaOf(first.get(), "a"), 12'000'000u) << "no map yet";
  ClusterAgentOptions options = Redis(redis);
  options.weight = 3;
  auto one = ClusterAgent::Start(first.get(), options);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(Eventually([&] { return (*one)->gauges().nodes_serving == 1; }));
  EXPECT_EQ(RamQuotaOf(first.get(), "a"), 12'000'000u) << "alone";
  options.weight = 1;
  auto two = ClusterAgent::Start(second.get(), options);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_TRUE(Eventually([&] { return RamQuotaOf(first.get(), "a") == 9'000'000; }));
  EXPECT_TRUE(Eventually([&] { return RamQuotaOf(second.get(), "a") == 3'000'000; }));
  WriteTenants(24'000'000);
  ASSERT_TRUE(second->ReloadTenants().ok());
  EXPECT_EQ(RamQuotaOf(second.get(), "a"), 6'000'000u) << "the file is new, the map is not";
  (*one)->Leave();
  EXPECT_TRUE(Eventually([&] { return RamQuotaOf(second.get(), "a") == 24'000'000; }));
}

TEST_F(ClusterAgentTest, SharesOfAClusterQuotaFollowAMapFromAFile) {
  tenants_path_ = directory_ + "/tenants.toml";
  WriteTenants(12'000'000);
  const auto node = StartNode();
  ClusterMap map = testing::SampleClusterMap();  // serving: 1 and 3, with weights 11 and 13
  map.nodes[0].addresses[0] = "tcp://" + node->address();
  const std::string path = directory_ + "/map.json";
  std::ofstream(path) << EncodeClusterMap(map);
  auto agent = ClusterAgent::Start(node.get(), {.source = path});
  ASSERT_TRUE(agent.ok()) << agent.status();
  EXPECT_EQ(RamQuotaOf(node.get(), "a"), 5'500'000u);
}

TEST_F(ClusterAgentTest, AMapFromAFileIsNotTheNodesToChange) {
  const auto node = StartNode();
  ClusterMap map = testing::SampleClusterMap();
  map.nodes[0].addresses[0] = "tcp://" + node->address();
  const std::string path = directory_ + "/map.json";
  std::ofstream(path) << EncodeClusterMap(map);
  auto agent = ClusterAgent::Start(node.get(), {.source = path});
  ASSERT_TRUE(agent.ok()) << agent.status();
  EXPECT_EQ((*agent)->control(), nullptr);
}

TEST_F(ClusterAgentTest, AddressesAreThoseThatAreAdvertised) {
  const auto node = StartNode("", "0.0.0.0:0");
  ClusterAgentOptions options;
  options.source = "redis://127.0.0.1:1?cluster=test";
  EXPECT_THAT(DescribeNode(*node, options).status().message(), HasSubstr("--advertise"));
  options.advertise = {"tcp=10.0.0.5:9400", "unix=/run/incipit.sock"};
  const auto self = DescribeNode(*node, options);
  ASSERT_TRUE(self.ok()) << self.status();
  EXPECT_EQ(self->addresses, (std::vector<std::string>{"tcp://10.0.0.5:9400", "unix:///run/incipit.sock"}));
}

TEST_F(ClusterAgentTest, AnAddressOfAllOfAHostsIsNotAdvertisedForUcxEither) {
  INCIPIT_SKIP_WITHOUT_UCX();
  const auto node = StartNode("", "127.0.0.1:0", "0.0.0.0:0");
  ASSERT_NE(node, nullptr);
  ClusterAgentOptions options{.source = "redis://127.0.0.1:1?cluster=test"};
  EXPECT_EQ(DescribeNode(*node, options)->AddressOn("ucx"), "");
  options.advertise = {"ucx=10.0.0.5:9410?devices=eth0"};
  EXPECT_EQ(DescribeNode(*node, options)->AddressOn("ucx"), "ucx://10.0.0.5:9410?devices=eth0");
}

TEST_F(ClusterAgentTest, WrongOptionsAreRefusedByName) {
  const auto error = [](ClusterAgentOptions options) { return std::string(ClusterAgent::Check(options).message()); };
  EXPECT_THAT(error({}), HasSubstr("--membership"));
  EXPECT_NE(error({.source = "redis://host"}), "");  // which cluster?
  EXPECT_THAT(error({.source = "f", .zone = "a b"}), HasSubstr("--zone"));
  EXPECT_THAT(error({.source = "f", .weight = 70'000}), HasSubstr("--weight"));
  for (const char* advertised : {"10.0.0.5:9400", "tcp=", "http=x:1", "="}) {
    EXPECT_THAT(error({.source = "f", .advertise = {advertised}}), HasSubstr("--advertise")) << advertised;
  }
  EXPECT_THAT(error({.source = "f", .peer_lane = "unix"}), HasSubstr("--peer-lane unix: expected auto, tcp or ucx"));
  const auto node = StartNode();
  EXPECT_TRUE(absl::IsNotFound(ClusterAgent::Start(node.get(), {.source = "/nowhere/map.json"}).status()));
  const absl::Status no_lane = ClusterAgent::Start(node.get(), {.source = "f", .peer_lane = "ucx"}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(no_lane)) << no_lane;
  EXPECT_THAT(no_lane.message(), HasSubstr("--listen-ucx"));
}

}  // namespace
}  // namespace incipit
