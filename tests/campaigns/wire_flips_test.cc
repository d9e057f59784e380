// Bits that turn on the wire, one at a time, anywhere in what answers a load or carries a store: header, meta or
// payload. Each is noticed; a load gives the right bytes or none. INCIPIT_CAMPAIGN_COUNT flips from INCIPIT_SEED.
#include <gtest/gtest.h>

#include <cstdio>

#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/campaign.h"
#include "tests/support/flipping_connector.h"
#include "tests/support/sim_node.h"

namespace incipit {
namespace {

using testing::CampaignCount;
using testing::CampaignSeed;
using testing::FlippingConnector;
using testing::KeyOf;
using testing::PayloadOf;
using testing::SimNode;
using testing::SmallLayout;

constexpr uint64_t kBlocks = 64;
constexpr int64_t kMillisecondNs = 1'000'000;

class WireFlips : public ::testing::Test {
 protected:
  WireFlips()
      : random_(MakeSeededRandom(CampaignSeed())),
        network_(&loop_, random_.get()),
        node_(&loop_, &network_, random_.get()),
        connector_(network_.MakeConnector()) {}
  void SetUp() override {
    ShardOptions options;
    options.store.ram_bytes = 8 << 20;
    ASSERT_TRUE(node_.Start(options, {nullptr}).ok());
    ClientOptions client;
    client.address = node_.address();
    client.model = "model";
    client.layout = layout_;
    client.default_deadline_ms = 500;
    client.reconnect_max_ms = 10;
    // A flipped length makes the other side wait for bytes that never come: one silence, and the client starts anew.
    client.breaker_failures = 1;
    client.breaker_cooldown_ms = 10;
    client_ = std::make_unique<ClientCore>(&loop_, &connector_, random_.get(), client);
    client_->Start();
    ASSERT_TRUE(loop_.Run(client_->WaitConnected()).ok());
  }
  void TearDown() override {
    loop_.Run(client_->Stop());
    node_.Stop();
  }

  uint64_t BlockBytes() const { return layout_.groups[0].BlockBytes(); }
  BlockStatus Store(uint64_t number) {
    const auto key = KeyOf(number);
    auto payload = PayloadOf(key, BlockBytes());
    StoreItem item;
    item.key = key;
    item.buffer = {payload.data(), payload.size()};
    StoreRequest request;
    request.items.push_back(item);
    request.offer_first = false;
    const absl::StatusOr<StatusResult> result = loop_.Run(client_->Store(std::move(request)));
    return result.ok() ? result->status[0] : BlockStatus::kExpired;
  }
  // kOk only with the right bytes: wrong ones fail the test.
  BlockStatus Load(uint64_t number) {
    const auto key = KeyOf(number);
    std::vector<uint8_t> buffer(BlockBytes(), 0xa5);
    LoadItem item;
    item.key = key;
    item.buffer = {buffer.data(), buffer.size()};
    LoadRequest request;
    request.items.push_back(item);
    const absl::StatusOr<LoadResult> result = loop_.Run(client_->Load(std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return BlockStatus::kExpired;
    if (result->status[0] == BlockStatus::kOk) {
      EXPECT_EQ(buffer, PayloadOf(key, BlockBytes())) << "WRONG BYTES of block " << number;
    }
    return result->status[0];
  }
  // Grows whenever either side notices damage, or that the other has fallen silent.
  uint64_t Noticed() {
    const ClientCounters& client = client_->counters();
    const ShardReport node = node_.shard(0)->Report();
    return client.damaged_segments + client.protocol_errors + client.expired_calls + node.requests.protocol_errors +
           node.requests.store_damaged;
  }
  uint64_t Connections() { return client_->counters().connections; }
  // A length flipped upwards makes a client take the next replies for the rest of that frame, 8 MiB at most: calls
  // expire until its checksum fails.
  static constexpr int kMostExpired = 5000;
  // Waits until the client has its connection again, if the flip cost it.
  void Reconnect() {
    ASSERT_TRUE(loop_.Run(client_->WaitConnected()).ok());
    BlockStatus last = BlockStatus::kMiss;
    for (int i = 0; i < kMostExpired; ++i) {
      last = Load(0);
      if (last == BlockStatus::kOk) return;
      loop_.RunUntil(loop_.NowNs() + 10 * kMillisecondNs);
    }
    const ClientCounters& counters = client_->counters();
    FAIL() << "no connection after a flip: status " << static_cast<int>(last) << ", expired " << counters.expired_calls
           << ", connections " << counters.connections << ", opened " << counters.breaker_opened << ", sessions "
           << node_.shard(0)->Report().sessions;
  }

  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 64);  // 4 KiB blocks
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  SimNode node_;
  FlippingConnector connector_;
  std::unique_ptr<ClientCore> client_;
};

TEST_F(WireFlips, FlippedBitOfALoadReplyIsNoticed) {
  const uint64_t count = CampaignCount(2000) / 2;
  SCOPED_TRACE(::testing::Message() << "seed " << CampaignSeed());
  for (uint64_t i = 0; i < kBlocks; ++i) ASSERT_EQ(Store(i), BlockStatus::kOk);
  uint64_t flips = 0, damaged = 0;
  while (flips < count) {
    testing::BitFlip& flip = connector_.flips().received;
    const uint64_t fired = flip.fired, noticed = Noticed(), connections = Connections();
    flip.Arm(random_->Below(wire::kFrameHeaderBytes + BlockBytes()), static_cast<int>(random_->Below(8)));
    const BlockStatus status = Load(random_->Below(kBlocks));
    ASSERT_EQ(flip.fired, fired + 1) << "the flip was not reached";
    // A broken frame costs the connection, and the client asks once more on the next.
    ASSERT_TRUE(status != BlockStatus::kOk || Connections() > connections);
    damaged += status == BlockStatus::kDamaged;
    ++flips;
    Reconnect();
    ASSERT_GT(Noticed(), noticed) << "a flip that nobody noticed";
    if (HasFailure()) return;
  }
  EXPECT_GT(damaged, flips / 2);  // in a payload; the others broke a header or meta, which ends the connection
  std::printf(
      "flips in load replies: %lu, failed checksums of payload %lu, broken frames %lu, wrong bytes 0, seed %lu\n",
      flips, damaged, flips - damaged, CampaignSeed());
}

TEST_F(WireFlips, FlippedBitOfAStoreIsNoticed) {
  const uint64_t count = CampaignCount(2000) / 2;
  SCOPED_TRACE(::testing::Message() << "seed " << CampaignSeed());
  ASSERT_EQ(Store(0), BlockStatus::kOk);
  uint64_t flips = 0, refused = 0;
  while (flips < count) {
    testing::BitFlip& flip = connector_.flips().sent;
    const uint64_t fired = flip.fired, noticed = Noticed(), connections = Connections(), block = 1 + flips;
    flip.Arm(random_->Below(wire::kFrameHeaderBytes + BlockBytes()), static_cast<int>(random_->Below(8)));
    const BlockStatus status = Store(block);
    ASSERT_EQ(flip.fired, fired + 1) << "the flip was not reached";
    ASSERT_TRUE(status != BlockStatus::kOk || Connections() > connections);
    refused += status == BlockStatus::kDamaged;
    ++flips;
    Reconnect();
    ASSERT_GT(Noticed(), noticed) << "a flip that nobody noticed";
    const BlockStatus expected = status == BlockStatus::kOk ? BlockStatus::kOk : BlockStatus::kMiss;
    ASSERT_EQ(Load(block), expected);
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, flips / 2);
  std::printf("flips in stores: %lu, refused for their checksum %lu, broken frames %lu, wrong bytes 0, seed %lu\n",
              flips, refused, flips - refused, CampaignSeed());
}

}  // namespace
}  // namespace incipit
