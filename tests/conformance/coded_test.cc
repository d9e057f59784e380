// Blocks under a codec, which every lane must carry alike: the same calls with the same results as without one, less
// bytes, and damage that is a miss.
#include "cache/codec/coded_segment.h"
#include "tests/conformance/latent_test_base.h"
#include "tests/conformance/raw_peer.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class LaneCoded : public LatentTest {
 protected:
  // Stores, by hand, coded segments with right checksums that no encoder made.
  void StoreForged(const std::vector<uint8_t>& key) {
    RawPeer peer(lane_.get());
    wire::Hello hello;
    hello.tenant = "default";
    std::vector<uint8_t> meta, payload;
    ASSERT_TRUE(peer.Send(wire::FrameType::kHello, 1, hello).ok());
    ASSERT_TRUE(peer.Answer().ok());
    const wire::OpenNamespace open{"model", layout_.Encode()};
    ASSERT_TRUE(peer.Send(wire::FrameType::kOpenNamespace, 2, open).ok());
    ASSERT_TRUE(peer.Answer(&meta).ok());
    const auto opened = wire::OpenNamespaceReply::Decode(meta);
    ASSERT_TRUE(opened.ok()) << opened.status();
    wire::Store store{.namespace_id = opened->namespace_id, .blocks = {{.key = {.key = key}}}};
    wire::StoredBlock& block = store.blocks[0];
    block.codec = Codec::kBf16Lossless;
    std::vector<uint64_t> table;
    for (const std::vector<uint8_t>& segment : ForgedSegments()) {
      block.segments.push_back({static_cast<uint32_t>(segment.size()), static_cast<uint32_t>(group().SegmentBytes())});
      table.push_back(Xxh3Of(segment));
      payload.insert(payload.end(), segment.begin(), segment.end());
    }
    const auto* table_bytes = reinterpret_cast<const uint8_t*>(table.data());
    payload.insert(payload.end(), table_bytes, table_bytes + table.size() * sizeof(uint64_t));
    meta.clear();
    store.Encode(&meta);
    ASSERT_TRUE(peer.Send(wire::FrameType::kStore, 3, meta, {}, 0, payload).ok());
    ASSERT_TRUE(peer.Answer(&meta).ok());
    EXPECT_THAT(wire::StatusReply::Decode(meta)->statuses, ElementsAre(BlockStatus::kOk));
  }
  // Noise, a segment cut short, one of another length, one of a version that nobody knows.
  std::vector<std::vector<uint8_t>> ForgedSegments() {
    std::mt19937_64 random(1);
    const size_t raw_bytes = group().SegmentBytes();
    std::vector<uint8_t> coded(MaxCodedBytes(raw_bytes)), shorter(MaxCodedBytes(raw_bytes));
    const std::vector<uint8_t> rows = testing::Bf16Rows(raw_bytes / (2 * kChannels), kChannels, 0.5, random);
    CodecScratch scratch;
    const CodecOptions options{.coding = SegmentCoding::kBf16Lossless, .row_values = kChannels};
    coded.resize(EncodeSegment(options, rows, coded, &scratch));
    const ByteView all_but_a_row = ByteView(rows).first(raw_bytes - 2 * kChannels);
    shorter.resize(EncodeSegment(options, all_but_a_row, shorter, &scratch));
    std::vector<std::vector<uint8_t>> forged = {testing::RandomBytes(raw_bytes / 2 + 7, random), coded, shorter, coded};
    forged[1].pop_back();
    forged[3][0] = 0x21;
    return forged;
  }
};
INCIPIT_ON_EVERY_LANE(LaneCoded);

TEST_P(LaneCoded, BlocksShrinkAndEveryClientReadsThem) {
  StartNode();
  TestClient* writer = ConnectCoding("bf16-lossless");
  TestClient* fast = ConnectCoding("bf16-lossless-fast");
  TestClient* plain = Connect();
  const Blocks coded = MakeLatents(0, 20), coded_fast = MakeLatents(20, 20), raw = MakeLatents(40, 20);
  EXPECT_THAT(Store(writer, coded), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(fast, coded_fast), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(plain, raw), Each(BlockStatus::kOk));
  for (TestClient* reader : {writer, fast, plain}) {
    for (const Blocks* blocks : {&coded, &coded_fast, &raw}) {
      EXPECT_THAT(Match(reader, *blocks), Each(Presence::kRam));
      EXPECT_THAT(Load(reader, *blocks), Each(BlockStatus::kOk));
    }
    ExpectNothingWrong(reader);
    // The 5 blocks of noise among the 40 were stored raw.
    EXPECT_EQ(reader->core->counters().decoded_raw_bytes, 35 * group().BlockBytes());
    EXPECT_LT(reader->core->counters().decoded_stored_bytes, 35 * group().BlockBytes() * 10 / 14);
  }
  for (TestClient* client : {writer, fast}) {
    EXPECT_EQ(client->core->counters().coded_raw_bytes, 20 * group().BlockBytes());
    EXPECT_LT(client->core->counters().coded_stored_bytes, 20 * group().BlockBytes() * 10 / 13);
  }
  EXPECT_EQ(plain->core->counters().coded_raw_bytes, 0u);
  // The node tells from sizes alone.
  const std::vector<NamespaceReport> namespaces = node_.shard()->Report().namespaces;
  ASSERT_EQ(namespaces.size(), 1u);
  EXPECT_EQ(namespaces[0].usage.blocks, 60u);
  EXPECT_EQ(namespaces[0].usage.raw_bytes, 60 * group().BlockBytes());
  EXPECT_EQ(namespaces[0].usage.raw_bytes - namespaces[0].usage.stored_bytes,
            writer->core->counters().coded_raw_bytes - writer->core->counters().coded_stored_bytes +
                fast->core->counters().coded_raw_bytes - fast->core->counters().coded_stored_bytes);
  // What is there stays, whoever stores the same in another form.
  EXPECT_THAT(Store(plain, coded, /*offer_first=*/false), Each(BlockStatus::kPresent));
  EXPECT_THAT(Store(writer, raw, /*offer_first=*/false), Each(BlockStatus::kPresent));
  ExpectNothingLeaked();
}

TEST_P(LaneCoded, RawAndCodedBlocksComeInOneLoad) {
  StartNode();
  TestClient* coding = ConnectCoding("bf16-lossless");
  TestClient* plain = Connect();
  const Blocks all = MakeLatents(0, 12);
  for (uint64_t i = 0; i < 12; ++i) {
    if (i % 4 == 3) continue;
    EXPECT_THAT(Store(i % 2 == 0 ? coding : plain, MakeLatents(i, 1)), Each(BlockStatus::kOk));
  }
  for (TestClient* reader : {coding, plain}) {
    const std::vector<BlockStatus> loaded = Load(reader, all);
    for (size_t i = 0; i < 12; ++i) EXPECT_EQ(loaded[i], i % 4 == 3 ? BlockStatus::kMiss : BlockStatus::kOk) << i;
    ExpectNothingWrong(reader);
  }
}

TEST_P(LaneCoded, EveryRangeOfLayersBringsItsOwnBytesFromBothTiers) {
  options_.store.ram_bytes = 8 << 20;
  StartNode(/*nvme_bytes=*/40 << 20);
  TestClient* coding = ConnectCoding("bf16-lossless");
  TestClient* plain = Connect();
  const Blocks blocks = MakeLatents(0, 64);  // 18 MiB, 13 when coded
  StoreAll(coding, blocks);
  EXPECT_THAT(Load(coding, blocks), Each(BlockStatus::kOk));
  for (TestClient* reader : {coding, plain}) {
    ExpectEveryRangeOfLayers(reader, blocks);
    ExpectNothingWrong(reader);
  }
  const ShardReport report = node_.shard()->Report();
  EXPECT_GT(report.requests.load_hits_ram, 0u);
  EXPECT_GT(report.requests.load_hits_nvme, 0u);
}

TEST_P(LaneCoded, LossyBlocksAreForThoseWhoAskedForThem) {
  StartNode();
  TestClient* lossy = ConnectCoding("fp8");
  const Blocks blocks = MakeLatents(0, 5);
  EXPECT_THAT(Store(lossy, blocks), Each(BlockStatus::kOk));
  for (TestClient* other : {Connect(), ConnectCoding("bf16-lossless")}) {
    EXPECT_THAT(Load(other, blocks), Each(BlockStatus::kMiss));
  }
  const auto result = lane_->Run(ConnectCoding("fp8")->core->Load(LoadOf(blocks)));
  EXPECT_THAT(result->status, Each(BlockStatus::kOk));
  EXPECT_NEAR(static_cast<double>(lossy->core->counters().coded_raw_bytes) /
                  static_cast<double>(lossy->core->counters().coded_stored_bytes),
              1152.0 / 656, 0.01);
  // Whoever names the namespace of lossy blocks without asking for the codec does not get them either.
  layout_.name += "+lossy-fp8";
  TestClient* mistaken = Connect();
  EXPECT_THAT(Load(mistaken, blocks), Each(BlockStatus::kRejected));
  EXPECT_EQ(mistaken->core->counters().refused_blocks, 5u);
}

// Bytes with right checksums that are no coded segment: a miss, nothing written elsewhere, and the client goes on.
TEST_P(LaneCoded, WhatCannotBeDecodedIsAMiss) {
  StartNode();
  TestClient* client = ConnectCoding("bf16-lossless");
  const Blocks good = MakeLatents(0, 3);
  EXPECT_THAT(Store(client, MakeLatents(0, 1)), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(client, MakeLatents(2, 1)), Each(BlockStatus::kOk));
  StoreForged(good.keys[1]);
  for (TestClient* reader : {client, Connect()}) {
    EXPECT_THAT(Load(reader, good), ElementsAre(BlockStatus::kOk, BlockStatus::kDamaged, BlockStatus::kOk));
    EXPECT_EQ(reader->core->counters().forged_segments, group().SegmentCount());
    EXPECT_EQ(reader->core->counters().protocol_errors, 0u);
  }
  ExpectNothingLeaked();
}

TEST_P(LaneCoded, ConnectionsCutInsideLoadsAndStoresLeaveNoPartialBlock) {
  StartNode();
  TestClient* client = ConnectCoding("bf16-lossless-fast");
  CutConnectionsInsideLatents(client);
  ExpectNothingWrong(client);
}

}  // namespace
}  // namespace incipit::conformance
