// Offers and stores of sessions while a shard has as many loads as it can do: whole sessions in virtual time.
#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::SmallLayout;
using testing::WireClient;

class SessionLookupsTest : public testing::SessionFixture {
 protected:
  SessionLookupsTest() {
    layout_ = SmallLayout(4, 65'536);
    options_.limits.max_loads = 4;
    options_.store.ram_bytes = 32 << 20;
  }
  // So many loads of a client that takes none of it: they stay in progress.
  void StartLoads(WireClient* client, uint64_t loads) {
    std::vector<uint8_t> meta;
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(1), KeyOf(2), KeyOf(3)};
    LoadOf(keys).Encode(&meta);
    for (uint64_t i = 0; i < loads; ++i) ASSERT_TRUE(client->SendFrame(wire::FrameType::kLoad, 100 + i, meta).ok());
    loop_.RunUntil(loop_.NowNs() + 1'000'000);
  }
  std::vector<wire::BlockStatus> OfferBlocks(WireClient* client, const std::vector<std::vector<uint8_t>>& keys) {
    wire::Offer offer;
    for (const auto& key : keys) offer.keys.push_back({0, 0, 0, key});
    const auto answer = client->Call(wire::FrameType::kOffer, offer);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return wire::StatusReply::Decode(answer->meta)->statuses;
  }
  uint64_t shed() { return node_.shard(0)->counters()->stores_shed; }
};

TEST_F(SessionLookupsTest, StoresAreTurnedAwayWhileLoadsAreStillLetIn) {
  Start();
  auto reader = Connect(), writer = Connect();
  ASSERT_EQ(StoreBlocks(writer.get(), {KeyOf(1), KeyOf(2), KeyOf(3)}),
            std::vector<wire::BlockStatus>(3, wire::BlockStatus::kOk));
  StartLoads(reader.get(), 2);
  ASSERT_EQ(node_.shard(0)->admission()->loads(), 2u);
  EXPECT_EQ(OfferBlocks(writer.get(), {KeyOf(7)}), std::vector{wire::BlockStatus::kWanted});
  EXPECT_EQ(StoreBlocks(writer.get(), {KeyOf(7)}), std::vector{wire::BlockStatus::kOk});
  StartLoads(reader.get(), 1);
  ASSERT_EQ(node_.shard(0)->admission()->loads(), 3u);
  EXPECT_EQ(OfferBlocks(writer.get(), {KeyOf(8), KeyOf(1), KeyOf(9)}),
            (std::vector{wire::BlockStatus::kBusy, wire::BlockStatus::kPresent, wire::BlockStatus::kBusy}));
  EXPECT_EQ(shed(), 2u);
  EXPECT_EQ(StoreBlocks(writer.get(), {KeyOf(8), KeyOf(1)}),
            (std::vector{wire::BlockStatus::kBusy, wire::BlockStatus::kPresent}));
  EXPECT_EQ(shed(), 3u);
  EXPECT_EQ(node_.shard(0)->counters()->loads_busy, 0u) << "no load was refused so far";
  StartLoads(reader.get(), 1);
  EXPECT_EQ(node_.shard(0)->admission()->loads(), 4u) << "the last quarter is for loads";
  EXPECT_EQ(node_.shard(0)->counters()->loads_busy, 0u);
  reader.reset();
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  EXPECT_EQ(StoreBlocks(writer.get(), {KeyOf(8)}), std::vector{wire::BlockStatus::kOk}) << "it is over";
}

TEST_F(SessionLookupsTest, ANodeThatDrainsIsNotTurnedAway) {
  Start();
  auto reader = Connect(), writer = Connect();
  auto peer = std::make_unique<WireClient>(&loop_, &network_, "node");
  wire::Hello hello;
  hello.features = wire::kFeatureNodes;
  hello.tenant = "default";
  ASSERT_TRUE(peer->Call(wire::FrameType::kHello, hello).ok());
  const auto taken = peer->Call(wire::FrameType::kPeer, wire::Peer{.node_id = 9});
  ASSERT_TRUE(taken.ok() && WireClient::ErrorOf(*taken).ok()) << WireClient::ErrorOf(*taken);
  ASSERT_TRUE(peer->Call(wire::FrameType::kOpenShared,
                         wire::OpenShared{.owner = "default", .model = "model", .layout = layout_.Encode()})
                  .ok());
  StoreBlocks(writer.get(), {KeyOf(1), KeyOf(2), KeyOf(3)});
  StartLoads(reader.get(), 3);
  ASSERT_FALSE(node_.shard(0)->admission()->MayStore());
  EXPECT_EQ(OfferBlocks(peer.get(), {KeyOf(7)}), std::vector{wire::BlockStatus::kWanted});
  EXPECT_EQ(StoreBlocks(peer.get(), {KeyOf(7)}), std::vector{wire::BlockStatus::kOk});
}

}  // namespace
}  // namespace incipit
