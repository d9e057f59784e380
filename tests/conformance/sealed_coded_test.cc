// Blocks that are coded and then sealed, which every lane must carry alike: smaller than sealed ones, open to their key
// alone, and whatever is put in their place is a miss.
#include "client/src/codec/sealed_codec.h"
#include "tests/conformance/latent_test_base.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class LaneSealedCoded : public LatentTest {
 protected:
  void ExpectNothingWrongOrShared(TestClient* client) {
    ExpectNothingWrong(client);
    EXPECT_EQ(client->core->counters().shared_loads + client->core->counters().shared_stores, 0u);
  }
  std::shared_ptr<const SealingKey> key_ = KeyOfSeed(1);
};
INCIPIT_ON_EVERY_LANE(LaneSealedCoded);

TEST_P(LaneSealedCoded, BlocksShrinkAndAllWithTheKeyReadThem) {
  StartNode();
  TestClient* dense = ConnectCoding("bf16-lossless", key_);
  TestClient* fast = ConnectCoding("bf16-lossless-fast", key_);
  TestClient* sealing = Connect("default", key_);
  const Blocks of_dense = MakeLatents(0, 20), of_fast = MakeLatents(20, 20), sealed = MakeLatents(40, 20);
  EXPECT_THAT(Store(dense, of_dense), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(fast, of_fast), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(sealing, sealed), Each(BlockStatus::kOk));
  for (TestClient* reader : {dense, fast, sealing}) {
    for (const Blocks* blocks : {&of_dense, &of_fast, &sealed}) {
      EXPECT_THAT(Match(reader, *blocks), Each(Presence::kRam));
      EXPECT_THAT(Load(reader, *blocks), Each(BlockStatus::kOk));
    }
    ExpectNothingWrongOrShared(reader);
    // The 5 blocks of noise among the 40 were only sealed.
    EXPECT_EQ(reader->core->counters().decoded_raw_bytes, 35 * group().BlockBytes());
    EXPECT_LT(reader->core->counters().decoded_stored_bytes, 35 * group().BlockBytes() * 10 / 14);
  }
  const std::vector<NamespaceReport> namespaces = node_.shard()->Report().namespaces;
  ASSERT_EQ(namespaces.size(), 1u);
  EXPECT_EQ(namespaces[0].usage.raw_bytes, 60 * group().BlockBytes());
  EXPECT_LT(namespaces[0].usage.stored_bytes, 60 * group().BlockBytes() * 10 / 11);
  // To nobody else are they there, coding or not.
  for (TestClient* other : {Connect(), ConnectCoding("bf16-lossless"), ConnectCoding("bf16-lossless", KeyOfSeed(2))}) {
    EXPECT_THAT(Load(other, of_dense), Each(BlockStatus::kMiss));
  }
  EXPECT_THAT(Store(sealing, of_dense, /*offer_first=*/false), Each(BlockStatus::kPresent));
  ExpectNothingLeaked();
}

TEST_P(LaneSealedCoded, EveryRangeOfLayersBringsItsOwnBytesFromBothTiers) {
  options_.store.ram_bytes = 8 << 20;
  StartNode(/*nvme_bytes=*/40 << 20);
  TestClient* coding = ConnectCoding("bf16-lossless-fast", key_);
  TestClient* sealing = Connect("default", key_);
  const Blocks blocks = MakeLatents(0, 64);  // 18 MiB, 13 when coded
  StoreAll(coding, blocks);
  EXPECT_THAT(Load(sealing, blocks), Each(BlockStatus::kOk));
  for (TestClient* reader : {coding, sealing}) {
    ExpectEveryRangeOfLayers(reader, blocks);
    ExpectNothingWrongOrShared(reader);
  }
  const ShardReport report = node_.shard()->Report();
  EXPECT_GT(report.requests.load_hits_ram, 0u);
  EXPECT_GT(report.requests.load_hits_nvme, 0u);
}

TEST_P(LaneSealedCoded, LossyBlocksAreForThoseWhoHaveTheKeyAndAskedForThem) {
  StartNode();
  TestClient* lossy = ConnectCoding("fp8", key_);
  const Blocks blocks = MakeLatents(0, 5);
  EXPECT_THAT(Store(lossy, blocks), Each(BlockStatus::kOk));
  EXPECT_LT(lossy->core->counters().coded_stored_bytes, 5 * group().BlockBytes() * 10 / 17);
  for (TestClient* other : {ConnectCoding("bf16-lossless", key_), ConnectCoding("fp8")}) {
    EXPECT_THAT(Load(other, blocks), Each(BlockStatus::kMiss));
  }
  const auto result = lane_->Run(ConnectCoding("fp8", key_)->core->Load(LoadOf(blocks)));
  EXPECT_THAT(result->status, Each(BlockStatus::kOk));
  layout_.name += "+lossy-fp8";  // Named without asking for the codec.
  EXPECT_THAT(Load(Connect("default", key_), blocks), Each(BlockStatus::kRejected));
}

// Whoever can write to the node has no use of coded bytes either: they are not even looked at.
TEST_P(LaneSealedCoded, WhatIsCodedButNotSealedIsRejectedAndTouchesNothing) {
  StartNode();
  TestClient* client = ConnectCoding("bf16-lossless", key_);
  const Layout layout = std::exchange(layout_, SealedLayout(layout_, *key_));
  TestClient* intruder = ConnectCoding("bf16-lossless");
  layout_ = layout;
  const Blocks all = MakeLatents(0, 3);
  EXPECT_THAT(Store(intruder, MakeLatents(1, 1)), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(client, all), ElementsAre(BlockStatus::kOk, BlockStatus::kPresent, BlockStatus::kOk));
  EXPECT_THAT(Load(client, all), ElementsAre(BlockStatus::kOk, BlockStatus::kRejected, BlockStatus::kOk));
  EXPECT_TRUE(std::ranges::all_of(all.buffers[1], [](uint8_t byte) { return byte == 0xee; }));
  EXPECT_THAT(Load(intruder, all), ElementsAre(BlockStatus::kRejected, BlockStatus::kOk, BlockStatus::kRejected));
  EXPECT_EQ(client->core->counters().refused_blocks, 1u);
}

TEST_P(LaneSealedCoded, ConnectionsCutInsideLoadsAndStoresLeaveNoPartialBlock) {
  StartNode();
  TestClient* client = ConnectCoding("bf16-lossless-fast", key_);
  CutConnectionsInsideLatents(client);
  ExpectNothingWrongOrShared(client);
}

}  // namespace
}  // namespace incipit::conformance
