// What one node takes from another and gives to it, over every lane: the links of nodes, and what becomes of them when
// the other stops, ends, refuses or sends what it should not.
#include "cache/shard/block_store.h"
#include "cluster/warming/placement_history.h"
#include "cluster/warming/shard_warmer.h"
#include "tests/conformance/conformance_test_base.h"
#include "tests/support/flipping_connector.h"

namespace incipit::conformance {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kOldId = 42, kNewId = 43;  // node_, which clients store at; the one that asks it
// Inside a header, inside a meta, inside the first block, inside a later one.
constexpr uint64_t kPlaces[] = {0, 1, 60, 150, 700, 70'000, 300'000, 2'000'000};

class LaneNodes : public ConformanceTest {
 protected:
  ~LaneNodes() override { StopShard(); }

  void StartBoth() {
    StartNode();
    ShardOptions options = options_;
    options.identity.node_id = kNewId;
    options.store.huge_pages = false;
    auto shard = lane_->Run(Shard::Open(lane_->loop(), random_.get(), nullptr, options));
    ASSERT_TRUE(shard.ok()) << shard.status();
    shard_ = *std::move(shard);
    name_space_ = *shard_->store()->namespaces().Open("default", "model", layout_);
    settings_.node_id = kNewId;
    settings_.lanes = {lane_->address().substr(0, lane_->address().find("://"))};
    settings_.hold_back_ms = 1;
    settings_.failures_to_hold_back = 1'000'000;
    auto faulty = std::make_unique<FaultyConnector>(lane_->loop(), lane_->MakePeerConnector());
    faults_ = &faulty->faults;
    connector_ = std::make_unique<testing::FlippingConnector>(std::move(faulty));
    warmer_ = std::make_shared<ShardWarmer>(shard_.get(),
                                            PeerEnvironment{lane_->loop(), connector_.get(), random_.get(), settings_});
    shard_->set_peers(warmer_);
    Tell(NodeState::kServing);
  }
  void Tell(NodeState own_state) {
    ClusterMap map;
    map.epoch = ++epoch_;
    map.placement_seed.fill(7);
    for (const uint64_t id : {kOldId, kNewId}) {
      ClusterNode node;
      node.id = id;
      node.incarnation = 1;
      node.state = id == kOldId ? NodeState::kServing : own_state;
      node.addresses = {id == kOldId ? lane_->address() : "mem://nobody"};
      map.nodes.push_back(node);
    }
    warmer_->SetPlan(history_.Take(std::make_shared<const ClusterMap>(map), lane_->loop()->NowNs(), /*joined=*/true));
  }
  void StopShard() {
    if (shard_ == nullptr) return;
    faults_->Set(StreamFaults::kNone, 0);
    lane_->Run(shard_->Shutdown(lane_->loop()->NowNs() + 60 * kSecondNs)).IgnoreError();
    warmer_ = nullptr;
    shard_ = nullptr;
  }
  Task<void> TakeOver(const Blocks* blocks, int64_t patience_ns) {
    std::vector<wire::KeyRef> keys;
    for (const auto& key : blocks->keys) keys.push_back({0, 0, 0, key});
    const PeerQuestion question{
        .name_space = name_space_, .keys = keys, .stamp_ns = 1, .deadline_ns = lane_->loop()->NowNs() + patience_ns};
    Task<void> taking = warmer_->TakeOver(&question);
    co_await taking;
  }
  // How many of the blocks are here now; every byte of them is compared.
  size_t Here(const Blocks& blocks) {
    size_t here = 0;
    for (size_t i = 0; i < blocks.keys.size(); ++i) {
      const BlockId id = shard_->store()->Find(name_space_, {0, 0, 0, blocks.keys[i]});
      if (id == kNoBlock || !shard_->store()->IsHere(id)) continue;
      ++here;
      std::vector<iovec> pieces;
      shard_->store()->PayloadPieces(id, 0, group().BlockBytes(), &pieces);
      size_t at = 0;
      for (const iovec& piece : pieces) {
        EXPECT_EQ(std::memcmp(piece.iov_base, blocks.payloads[i].data() + at, piece.iov_len), 0) << "block " << i;
        at += piece.iov_len;
      }
    }
    return here;
  }
  size_t Take(const Blocks& blocks, int64_t patience_ns = int64_t{Lane::patience_ms()} * 1'000'000) {
    lane_->Run(TakeOver(&blocks, patience_ns));
    return Here(blocks);
  }
  // Memory of blocks that were not wholly taken over was given back.
  void ExpectNothingHeld() {
    const StoreGauges gauges = shard_->store()->gauges();
    EXPECT_EQ(gauges.arena.allocations, gauges.blocks_in_ram);
  }
  Blocks StoredBlocks(uint64_t first, size_t count) {
    const Blocks blocks = MakeBlocks(first, count);
    if (client_ == nullptr) client_ = Connect();
    StoreAll(client_, blocks);
    return blocks;
  }
  const PeerCounters& counters() const { return warmer_->counters(); }

  PeerSettings settings_;
  PlacementHistory history_{kNewId, 600 * kSecondNs};
  uint64_t epoch_ = 0;
  std::unique_ptr<testing::FlippingConnector> connector_;
  StreamFaults* faults_ = nullptr;
  std::unique_ptr<Shard> shard_;
  std::shared_ptr<ShardWarmer> warmer_;
  NamespaceId name_space_ = 0;
  TestClient* client_ = nullptr;
};
INCIPIT_ON_EVERY_LANE(LaneNodes);

TEST_P(LaneNodes, BlocksAreTakenOver) {
  StartBoth();
  const Blocks blocks = StoredBlocks(0, 24);  // 6 MiB
  EXPECT_EQ(Take(blocks), blocks.keys.size());
  EXPECT_EQ(counters().taken_blocks, blocks.keys.size());
  uint64_t received = 0, sent = 0;
  for (const PeerCounters::LaneBytes& lane : counters().lanes) received += lane.received, sent += lane.sent;
  EXPECT_GE(received, blocks.keys.size() * group().BlockBytes());
  EXPECT_GT(sent, 0u);
  if (settings_.lanes[0] == "ucx") {
    EXPECT_EQ(counters().lane(LaneKind::kUcx).received, received);
  }
  EXPECT_EQ(counters().failures + counters().damaged, 0u);
  ExpectNothingHeld();
}

TEST_P(LaneNodes, BlocksAreGivenAway) {
  StartBoth();
  const Blocks blocks = StoredBlocks(0, 24);
  EXPECT_EQ(Take(blocks), blocks.keys.size());
  node_.Stop();
  StartNode();  // which has nothing now
  EXPECT_THAT(Match(client_, blocks), ::testing::Each(Presence::kMiss));
  Tell(NodeState::kDraining);
  const auto board = std::make_shared<MoveBoard>();
  warmer_->BeginMoving({}, board);
  EXPECT_TRUE(lane_->RunUntil([&] { return board->done.load(); }));
  EXPECT_EQ(board->Read().moved.blocks, blocks.keys.size());
  EXPECT_THAT(Load(client_, blocks), ::testing::Each(BlockStatus::kOk));
}

TEST_P(LaneNodes, ConnectionCutInsideATakeOver) {
  StartBoth();
  uint64_t first = 0;
  for (const uint64_t place : kPlaces) {
    const Blocks blocks = StoredBlocks(first, 12);
    first += blocks.keys.size();
    faults_->Set(StreamFaults::kCutReads, place);
    EXPECT_LT(Take(blocks), blocks.keys.size()) << "cut after " << place;
    ExpectNothingHeld();
    EXPECT_EQ(Take(blocks), blocks.keys.size()) << "by a new connection";
  }
  EXPECT_EQ(faults_->cuts, std::size(kPlaces));
  EXPECT_EQ(counters().failures, std::size(kPlaces));
}

TEST_P(LaneNodes, NodeThatStopsInsideATakeOver) {
  StartBoth();
  uint64_t first = 0;
  for (const uint64_t place : kPlaces) {
    const Blocks blocks = StoredBlocks(first, 12);
    first += blocks.keys.size();
    faults_->Set(StreamFaults::kStallReads, place);
    EXPECT_LT(Take(blocks, kSecondNs / 10), blocks.keys.size()) << "stopped after " << place;
    EXPECT_GT(faults_->stalls, 0u);
    ExpectNothingHeld();
    faults_->Set(StreamFaults::kNone, 0);
    EXPECT_EQ(Take(blocks), blocks.keys.size()) << "by a new connection";
  }
}

TEST_P(LaneNodes, NodeThatEndsInsideATakeOver) {
  StartBoth();
  const Blocks blocks = StoredBlocks(0, 90);  // more than the kernel would keep on its way
  faults_->Set(StreamFaults::kStallReads, 2'000'000);
  TaskScope scope(lane_->loop());
  scope.Spawn(TakeOver(&blocks, int64_t{Lane::patience_ms()} * 1'000'000));
  EXPECT_TRUE(lane_->RunUntil([&] { return faults_->stalls > 0; }));
  node_.Stop();
  faults_->Set(StreamFaults::kNone, 0);
  EXPECT_TRUE(lane_->RunUntil([&] { return scope.running() == 0; }));
  EXPECT_LT(Here(blocks), blocks.keys.size());
  EXPECT_GT(counters().failures, 0u);
  ExpectNothingHeld();
}

TEST_P(LaneNodes, ANodeThatEndsWhileItAsks) {
  StartBoth();
  const Blocks blocks = StoredBlocks(0, 24);
  faults_->Set(StreamFaults::kStallReads, 2'000'000);
  TaskScope scope(lane_->loop());
  scope.Spawn(TakeOver(&blocks, int64_t{Lane::patience_ms()} * 1'000'000));
  EXPECT_TRUE(lane_->RunUntil([&] { return faults_->stalls > 0; }));
  lane_->Run(warmer_->Stop());
  EXPECT_TRUE(lane_->RunUntil([&] { return scope.running() == 0; }));
  ExpectNothingHeld();
  StopShard();
  EXPECT_THAT(Load(client_, blocks), ::testing::Each(BlockStatus::kOk));
  ExpectNothingLeaked();
}

TEST_P(LaneNodes, WrongBytesAreNoticed) {
  StartBoth();
  Blocks all = StoredBlocks(0, 1);
  EXPECT_EQ(Take(all), 1u);  // so the link is there, with its namespace
  uint64_t damaged = 0, first = 1;
  for (uint64_t at = 16; at < 4 * group().BlockBytes(); at += 91'003) {
    const Blocks blocks = StoredBlocks(first, 4);
    first += blocks.keys.size();
    connector_->flips().received.Arm(at, static_cast<int>(at % 8));
    const size_t taken = Take(blocks);  // Here() compares every byte
    EXPECT_LT(taken, blocks.keys.size()) << "bit at " << at;
    damaged += blocks.keys.size() - taken;
    EXPECT_EQ(Take(blocks), blocks.keys.size()) << "asked for again, it comes whole";
  }
  EXPECT_GT(connector_->flips().received.fired, 10u);
  EXPECT_GT(damaged, 10u);
  EXPECT_GT(counters().damaged, 10u);
  ExpectNothingHeld();
}

TEST_P(LaneNodes, WithoutTheRightCredentialsNothingIsGiven) {
  tenants_ = testing::MakeTable({testing::MakeTenant("default"), testing::MakeTenant("nodes", Role::kPeer)});
  StartNode();
  const Blocks blocks = StoredBlocks(0, 4);
  node_.Stop();
  struct Case {
    const char* tenant;
    const char* secret_of;
    size_t taken;
  };
  for (const Case& each : {Case{"default", "default", 0}, Case{"nodes", "default", 0}, Case{"nodes", nullptr, 0},
                           Case{"nodes", "nodes", 4}}) {
    settings_.tenant = each.tenant;
    settings_.key = nullptr;
    if (each.secret_of != nullptr) {
      settings_.key = std::make_shared<const TenantKey>(testing::KeyOfTenant(each.secret_of));
    }
    StartBoth();
    StoreAll(client_, blocks);
    EXPECT_EQ(Take(blocks), each.taken) << each.tenant << " with the secret of " << each.secret_of;
    EXPECT_EQ(counters().failures > 0, each.taken == 0);
    EXPECT_EQ(counters().lane_failures, 0u);
    StopShard();
    node_.Stop();
  }
}

}  // namespace
}  // namespace incipit::conformance
