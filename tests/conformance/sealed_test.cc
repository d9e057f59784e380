// Sealed blocks, which every lane must carry alike: the same calls with the same results as in the clear, and nothing
// but cipher text in memory that the node can reach.
#include "client/src/codec/sealed_codec.h"
#include "tests/conformance/conformance_test_base.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class LaneSealed : public ConformanceTest {
 protected:
  TestClient* ConnectSealed() { return Connect("default", key_); }
  // A client that puts unsealed blocks where sealed ones belong, and takes sealed ones for unsealed.
  TestClient* ConnectIntruder() {
    const Layout layout = std::exchange(layout_, SealedLayout(layout_, *key_));
    TestClient* intruder = Connect();
    layout_ = layout;
    return intruder;
  }
  // What was opened was right, and no memory was offered to the node: it could have changed what was opened there.
  void ExpectNothingForgedOrShared(TestClient* client) {
    const ClientCounters& counters = client->core->counters();
    EXPECT_EQ(counters.forged_segments + counters.damaged_segments + counters.refused_blocks, 0u);
    EXPECT_EQ(counters.protocol_errors, 0u);
    EXPECT_EQ(counters.shared_loads + counters.shared_stores, 0u);
  }
  static bool IsUntouched(MutableBytes buffer) {
    return std::ranges::all_of(buffer, [](uint8_t byte) { return byte == 0xee; });
  }

  std::shared_ptr<const SealingKey> key_ = KeyOfSeed(1);
};
INCIPIT_ON_EVERY_LANE(LaneSealed);

TEST_P(LaneSealed, StoredBlocksAreMatchedAndLoadedByTheirKeyOnly) {
  StartNode();
  TestClient* writer = ConnectSealed();
  TestClient* reader = ConnectSealed();
  const Blocks blocks = MakeBlocks(0, 40);
  EXPECT_THAT(Store(writer, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Match(reader, blocks), Each(Presence::kRam));
  EXPECT_THAT(Load(reader, blocks), Each(BlockStatus::kOk));
  EXPECT_EQ(reader->core->counters().bytes_loaded, 40 * group().BlockBytes());
  ExpectNothingForgedOrShared(writer);
  ExpectNothingForgedOrShared(reader);
  EXPECT_THAT(Store(writer, blocks, /*offer_first=*/false), Each(BlockStatus::kPresent));
  // With another key, or none, they are not there; nor are they in the way.
  for (TestClient* other : {Connect("default", KeyOfSeed(2)), Connect()}) {
    EXPECT_THAT(Load(other, blocks), Each(BlockStatus::kMiss));
    EXPECT_THAT(Store(other, MakeBlocks(0, 2, /*version=*/3)), Each(BlockStatus::kOk));
  }
  EXPECT_THAT(Load(reader, blocks), Each(BlockStatus::kOk));
  ExpectNothingLeaked();
}

TEST_P(LaneSealed, HitsAndMissesKeepTheirPlaces) {
  StartNode();
  TestClient* client = ConnectSealed();
  for (const uint64_t block : {0, 2, 4}) EXPECT_THAT(Store(client, MakeBlocks(block, 1)), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, MakeBlocks(0, 6)), ElementsAre(BlockStatus::kOk, BlockStatus::kMiss, BlockStatus::kOk,
                                                          BlockStatus::kMiss, BlockStatus::kOk, BlockStatus::kMiss));
}

TEST_P(LaneSealed, EveryRangeOfLayersBringsItsOwnBytes) {
  StartNode();
  TestClient* client = ConnectSealed();
  const Blocks blocks = MakeBlocks(0, 2);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  ExpectEveryRangeOfLayers(client, blocks);
  ExpectNothingForgedOrShared(client);
}

TEST_P(LaneSealed, SegmentsOfAnySizeAndNumber) {
  for (const auto& [layers, bytes_per_entry, block_tokens] :
       {std::tuple{1024u, 3u, 17u}, {1u, 128u << 10, 64u}, {5u, 1u, 1u}}) {
    SCOPED_TRACE(::testing::Message() << layers << " layers of " << bytes_per_entry * block_tokens << " bytes");
    if (node_.shard() == nullptr) StartNode();
    layout_ = testing::SmallLayout(layers, bytes_per_entry, block_tokens);
    TestClient* client = ConnectSealed();
    const Blocks blocks = MakeBlocks(0, 2);
    EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
    EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
    ExpectNothingForgedOrShared(client);
  }
}

TEST_P(LaneSealed, BlocksAndRangesOfTheirLayersComeFromBothTiers) {
  options_.store.ram_bytes = 8 << 20;
  StartNode(/*nvme_bytes=*/40 << 20);
  TestClient* client = ConnectSealed();
  const Blocks blocks = MakeBlocks(0, 64);  // 16 MiB
  StoreAll(client, blocks);
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
  ExpectEveryRangeOfLayers(client, blocks);
  const ShardReport report = node_.shard()->Report();
  EXPECT_GT(report.requests.load_hits_ram, 0u);
  EXPECT_GT(report.requests.load_hits_nvme, 0u);
  ExpectNothingForgedOrShared(client);
}

// Whoever can write to the node cannot pass one kind of block for the other, in whatever memory they would land.
TEST_P(LaneSealed, WhatIsNotOfTheClientsKindIsRejectedAndTouchesNothing) {
  StartNode();
  TestClient* client = ConnectSealed();
  TestClient* intruder = ConnectIntruder();
  const Blocks all = MakeBlocks(0, 3);
  EXPECT_THAT(Store(intruder, MakeBlocks(1, 1)), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(client, all), ElementsAre(BlockStatus::kOk, BlockStatus::kPresent, BlockStatus::kOk));
  EXPECT_THAT(Load(client, all), ElementsAre(BlockStatus::kOk, BlockStatus::kRejected, BlockStatus::kOk));
  EXPECT_TRUE(IsUntouched(all.buffers[1]));
  EXPECT_EQ(client->core->counters().refused_blocks, 1u);
  EXPECT_THAT(Load(intruder, all), ElementsAre(BlockStatus::kRejected, BlockStatus::kOk, BlockStatus::kRejected));
  EXPECT_TRUE(IsUntouched(all.buffers[0]));
  EXPECT_TRUE(IsUntouched(all.buffers[2]));
  ExpectNothingLeaked();
}

TEST_P(LaneSealed, ConnectionsCutInsideLoadsAndStoresLeaveNoPartialBlock) {
  StartNode();
  TestClient* client = ConnectSealed();
  TestClient* witness = ConnectSealed();
  const auto expect_whole = [&](const Blocks& blocks) {
    for (const BlockStatus loaded : Load(witness, blocks)) {  // a hit has the right bytes, or the test fails
      EXPECT_TRUE(loaded == BlockStatus::kOk || loaded == BlockStatus::kMiss);
    }
  };
  CutInsideLoadsAndStores(
      client, {0, 47, 100, 1500, 70'000, 300'000, 1'500'000},
      [&](uint64_t first, size_t count) { return MakeBlocks(first, count); }, expect_whole);
  ExpectNothingForgedOrShared(witness);
  ExpectNothingForgedOrShared(client);
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions <= 2; }));
  ExpectNothingLeaked();
}

// What is still on its way when a load ends must not be opened into memory that the caller uses for something else.
TEST_P(LaneSealed, StalledLoadEndsAtItsDeadlineAndNothingIsOpenedLater) {
  StartNode();
  TestClient* client = ConnectSealed();
  const Blocks blocks = MakeBlocks(0, 24);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  for (const uint64_t place : {0, 40, 1500, 100'000, 3'000'000}) {
    client->faults().Set(StreamFaults::kStallReads, place);
    Load(client, blocks, 30);
    for (const MutableBytes buffer : blocks.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0xee});
    lane_->RunFor(20'000'000);
    client->faults().Set(StreamFaults::kNone, 0);
    lane_->RunFor(20'000'000);
    for (const MutableBytes buffer : blocks.buffers) EXPECT_TRUE(IsUntouched(buffer)) << "stalled after " << place;
    EXPECT_TRUE(lane_->RunUntil([&] {
      return std::ranges::all_of(Load(client, blocks), [](BlockStatus of) { return of == BlockStatus::kOk; });
    }));
  }
  ExpectNothingForgedOrShared(client);
  ExpectNothingLeaked();
}

}  // namespace
}  // namespace incipit::conformance
