// A node over faulty disks in virtual time: crashes at every disk operation, damage, and devices that fail or hang.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"
#include "tests/support/wire_client.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::PayloadOf;
using testing::SegmentsOf;
using testing::SimNode;
using testing::SmallLayout;
using testing::WireClient;

constexpr uint64_t kDiskBytes = 13 << 20;
constexpr uint64_t kRegionBytes = 1 << 20;
constexpr int64_t kSecondNs = 1'000'000'000;

uint64_t SeedFromEnvironment() {
  const char* text = std::getenv("INCIPIT_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

// One life of a node, from start to stop or crash, on contents that outlive it.
class Life {
 public:
  Life(std::shared_ptr<MemDiskContents> contents, uint64_t seed)
      : random_(MakeSeededRandom(seed)),
        network_(&loop_, random_.get()),
        disk_(&loop_, std::move(contents)),
        faulty_(&loop_, &disk_, random_.get()),
        node_(&loop_, &network_, random_.get()) {
    options_.store.ram_bytes = 4 << 20;
    options_.nvme.region_bytes = kRegionBytes;
    options_.nvme.write_buffer_bytes = 256 << 10;
    options_.nvme.read_slot_bytes = 64 << 10;
    options_.nvme.read_slots = 16;
  }
  FaultyDisk& disk() { return faulty_; }
  ShardOptions& options() { return options_; }
  SimLoop& loop() { return loop_; }
  Shard* shard() { return node_.shard(0); }
  void CrashAt(uint64_t k) {
    faulty_.CrashAtOperation(k, [this] { disk_.Crash(random_.get()); });
  }

  absl::Status Start() {
    absl::Status status = node_.Start(options_, {&faulty_});
    if (!status.ok()) return status;
    client_ = std::make_unique<WireClient>(&loop_, &network_, "node");
    auto hello = client_->SayHello();
    if (!hello.ok()) return hello.status();
    return client_->Open(layout_).status();
  }
  void Stop() { node_.Stop(); }
  void Recover() {
    for (int i = 0; i < 1000 && !shard()->Report().gauges.recovered; ++i)
      loop_.RunUntil(loop_.NowNs() + kSecondNs / 100);
    EXPECT_TRUE(shard()->Report().gauges.recovered) << shard()->recovery_status();
  }
  void Settle(int64_t ns = kSecondNs / 10) { loop_.RunUntil(loop_.NowNs() + ns); }

  wire::BlockStatus Store(uint64_t number) {
    Settle(1000);  // every request has its own stamp
    const auto key = KeyOf(number);
    const auto bytes = PayloadOf(key, layout_.groups[0].BlockBytes());
    wire::Store store;
    wire::StoredBlock block;
    block.key.key = key;
    block.segments = SegmentsOf(layout_.groups[0], bytes);
    store.blocks.push_back(block);
    std::vector<uint8_t> payload;
    testing::AppendStored(bytes, block.segments, &payload);
    auto answer = client_->Call(wire::FrameType::kStore, store, payload);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return wire::StatusReply::Decode(answer->meta)->statuses[0];
  }
  // The status, kOk only with the right bytes: wrong ones fail the test.
  wire::BlockStatus Load(uint64_t number, uint32_t deadline_ms = 0) {
    const auto key = KeyOf(number);
    wire::Load load;
    load.keys.push_back({0, 0, 0, key});
    load.deadline_ms = deadline_ms;
    auto answer = client_->Call(wire::FrameType::kLoad, load);
    EXPECT_TRUE(answer.ok()) << answer.status();
    auto reply = wire::LoadReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (reply->blocks[0].status == wire::BlockStatus::kOk) {
      EXPECT_EQ(Xxh3Of(answer->payload), Xxh3Of(PayloadOf(key, layout_.groups[0].BlockBytes()))) << "WRONG BYTES";
    }
    return reply->blocks[0].status;
  }
  wire::BlockStatus Remove(uint64_t number) {
    wire::Remove remove;
    const auto key = KeyOf(number);
    remove.keys.push_back({0, 0, 0, key});
    auto answer = client_->Call(wire::FrameType::kRemove, remove);
    EXPECT_TRUE(answer.ok());
    return wire::StatusReply::Decode(answer->meta)->statuses[0];
  }
  uint64_t CountHits(uint64_t first, uint64_t end) {
    uint64_t hits = 0;
    for (uint64_t i = first; i < end; ++i) hits += Load(i) == wire::BlockStatus::kOk;
    return hits;
  }

 private:
  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 1024);  // 64 KiB blocks
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  MemDisk disk_;
  FaultyDisk faulty_;
  ShardOptions options_;
  SimNode node_;
  std::unique_ptr<WireClient> client_;
};

std::shared_ptr<MemDiskContents> NewContents() { return std::make_shared<MemDiskContents>(kDiskBytes); }

TEST(NodeTiers, MoreThanRamHoldsIsServedFromNvme) {
  Life life(NewContents(), 1);
  ASSERT_TRUE(life.Start().ok());
  for (uint64_t i = 0; i < 150; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk) << i;
  EXPECT_EQ(life.CountHits(0, 150), 150u);
  const ShardReport report = life.shard()->Report();
  EXPECT_GT(report.requests.load_hits_nvme, 50u);
  EXPECT_GT(report.store.promoted + report.store.promotions_skipped, 0u);
}

TEST(NodeTiers, ColdestGoWhenBothTiersAreFull) {
  Life life(NewContents(), 1);
  ASSERT_TRUE(life.Start().ok());
  constexpr uint64_t kBlocks = 600;
  for (uint64_t i = 0; i < kBlocks; ++i) {
    ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk) << i;
    life.Settle(1'000'000);
  }
  const ShardReport report = life.shard()->Report();
  EXPECT_GT(report.store.evicted_from_nvme, 100u);
  EXPECT_GT(report.gauges.nvme.regions_reclaimed, 3u);
  EXPECT_EQ(life.Load(0), wire::BlockStatus::kMiss);
  // The tiers hold what is newest, without gaps, and waste little of the space that regions leave.
  const uint64_t held = report.gauges.blocks;
  EXPECT_GT(held, 160u);
  EXPECT_EQ(life.CountHits(kBlocks - held + 8, kBlocks), held - 8);
}

TEST(NodeRestart, StoredBlocksAreHitsAfterAStop) {
  auto contents = NewContents();
  {
    Life life(contents, 1);
    ASSERT_TRUE(life.Start().ok());
    for (uint64_t i = 0; i < 40; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk);
    life.Settle();
    life.Stop();
  }
  Life again(contents, 2);
  ASSERT_TRUE(again.Start().ok());
  again.Recover();
  EXPECT_EQ(again.CountHits(0, 40), 40u);
}

TEST(NodeRestart, RemovedBlocksStayRemoved) {
  auto contents = NewContents();
  {
    Life life(contents, 1);
    ASSERT_TRUE(life.Start().ok());
    for (uint64_t i = 0; i < 40; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk);
    life.Settle();
    for (uint64_t i = 0; i < 20; ++i) EXPECT_EQ(life.Remove(i), wire::BlockStatus::kOk);
    EXPECT_EQ(life.Remove(1000), wire::BlockStatus::kMiss);
    ASSERT_EQ(life.Store(5), wire::BlockStatus::kOk);
    life.Settle();
    life.Stop();
  }
  Life again(contents, 2);
  ASSERT_TRUE(again.Start().ok());
  again.Recover();
  EXPECT_EQ(again.CountHits(0, 20), 1u);
  EXPECT_EQ(again.Load(5), wire::BlockStatus::kOk);
  EXPECT_EQ(again.CountHits(20, 40), 20u);
}

// The scenario that is crashed at each of its disk operations.
void StoreLoadRemove(Life* life) {
  for (uint64_t i = 0; i < 260; ++i) {
    life->Store(i);
    if (i % 3 == 0) life->Load(i / 2);
    if (i % 17 == 0) life->Remove(i / 3);
  }
  life->Settle();
}

TEST(NodeCrash, CrashAtEveryDiskOperationNeverGivesWrongBytes) {
  const uint64_t seed = SeedFromEnvironment();
  const char* step_text = std::getenv("INCIPIT_CRASH_STEP");
  const uint64_t step = step_text == nullptr ? 13 : std::strtoull(step_text, nullptr, 10);
  bool crashed = true;
  uint64_t lives = 0;
  for (uint64_t k = 1; crashed; k += step) {
    SCOPED_TRACE(::testing::Message() << "crash at operation " << k << ", seed " << seed);
    auto contents = NewContents();
    {
      Life life(contents, seed + k);
      life.CrashAt(k);
      if (life.Start().ok()) StoreLoadRemove(&life);
      crashed = life.disk().crashed();
      life.Stop();
    }
    Life again(contents, seed);
    const absl::Status started = again.Start();
    ASSERT_TRUE(started.ok()) << started;
    again.Recover();
    again.CountHits(0, 260);
    ++lives;
    if (::testing::Test::HasFailure()) return;
  }
  RecordProperty("crash_points", static_cast<int>(lives));
  EXPECT_GT(lives, 10u);
}

TEST(NodeDamage, FlippedBitsOnReadsAreMisses) {
  const uint64_t seed = SeedFromEnvironment();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Life life(NewContents(), seed);
  ASSERT_TRUE(life.Start().ok());
  for (uint64_t i = 0; i < 150; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk);
  life.disk().SetProbability(FaultSite::kFlippedBit, 0.5);
  for (int round = 0; round < 3; ++round) life.CountHits(0, 150);
  EXPECT_GT(life.disk().fired(FaultSite::kFlippedBit), 50u);
  EXPECT_GT(life.shard()->Report().store.damaged_on_nvme, 20u);
}

// What the operator sees of a fault: a counter of its kind, and a text with the operation and its cause.
struct Trace {
  uint64_t count = 0;
  const char* cause = "";
};
Trace TraceOf(FaultSite site, const NvmeStats& stats) {
  switch (site) {
    case FaultSite::kReadError:
      return {stats.read_errors, "read"};
    case FaultSite::kFlushError:
      return {stats.flush_errors, "flush"};
    case FaultSite::kHang:
      return {stats.timeouts, "no answer for"};
    case FaultSite::kNoSpace:
      return {stats.write_errors, "space"};
    default:
      return {stats.write_errors, "write"};
  }
}

class NodeDiskFault : public ::testing::TestWithParam<FaultSite> {};

TEST_P(NodeDiskFault, RamStillServesAndAllIsWellAfterwards) {
  Life life(NewContents(), 1);
  ASSERT_TRUE(life.Start().ok());
  for (uint64_t i = 0; i < 120; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk);
  life.Settle();
  if (GetParam() == FaultSite::kHang) {
    life.disk().Plan(FaultSite::kHang, 0);
  } else {
    life.disk().SetProbability(GetParam(), 1.0);
  }
  // The newest blocks are in RAM and must be hits throughout; all else may be a miss, and nothing may hang.
  for (uint64_t i = 110; i < 120; ++i) EXPECT_EQ(life.Load(i, 3000), wire::BlockStatus::kOk) << i;
  for (uint64_t i = 0; i < 40; ++i) life.Load(i, 3000);
  for (uint64_t i = 200; i < 320; ++i) EXPECT_EQ(life.Store(i), wire::BlockStatus::kOk) << i;
  life.Settle(20 * kSecondNs);
  EXPECT_GT(life.disk().fired(GetParam()), 0u);
  const NvmeStats stats = life.shard()->Report().gauges.nvme;
  const Trace trace = TraceOf(GetParam(), stats);
  EXPECT_GT(trace.count, 0u);
  EXPECT_THAT(stats.last_error, ::testing::HasSubstr(trace.cause));
  EXPECT_EQ(life.Load(319, 3000), wire::BlockStatus::kOk);
  life.disk().Heal();
  life.Settle(20 * kSecondNs);
  EXPECT_EQ(life.shard()->Report().gauges.nvme.state, NvmeState::kServing);
  for (uint64_t i = 400; i < 500; ++i) ASSERT_EQ(life.Store(i), wire::BlockStatus::kOk);
  life.Settle();
  EXPECT_EQ(life.CountHits(400, 500), 100u);
  life.Stop();
}

INSTANTIATE_TEST_SUITE_P(Faults, NodeDiskFault,
                         ::testing::Values(FaultSite::kReadError, FaultSite::kWriteError, FaultSite::kFlushError,
                                           FaultSite::kNoSpace, FaultSite::kTornWrite, FaultSite::kHang),
                         [](const auto& param) {
                           std::string name = FaultSiteName(param.param);
                           std::erase(name, ' ');
                           return name;
                         });

}  // namespace
}  // namespace incipit
