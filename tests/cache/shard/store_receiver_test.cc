#include "cache/shard/store_receiver.h"

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using testing::AppendStored;
using testing::KeyOf;
using testing::PayloadOf;
using testing::SegmentsOf;
using testing::SmallLayout;

class StoreReceiverTest : public testing::SessionFixture {};

TEST_F(StoreReceiverTest, SecondStoreIsPresentAndOtherBytesAreAConflict) {
  Start();
  auto client = Connect();
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(1)})[0], wire::BlockStatus::kOk);
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(1)})[0], wire::BlockStatus::kPresent);
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(1)}, 77)[0], wire::BlockStatus::kConflict);
  auto answer = client->Call(wire::FrameType::kLoad, LoadOf({KeyOf(1)}));
  EXPECT_EQ(answer->payload, PayloadOf(KeyOf(1), layout_.groups[0].BlockBytes()));
}

TEST_F(StoreReceiverTest, DamagedPayloadIsNeverPublished) {
  Start();
  auto client = Connect();
  std::vector<uint8_t> payload;
  const std::vector<std::vector<uint8_t>> stored_keys = {KeyOf(1)};
  const wire::Store store = StoreOf(stored_keys, &payload);
  for (const size_t at : {size_t{100}, payload.size() - 3}) {  // a byte of the block, a byte of its checksum table
    payload[at] ^= 1;
    auto answer = client->Call(wire::FrameType::kStore, store, payload);
    EXPECT_EQ(wire::StatusReply::Decode(answer->meta)->statuses[0], wire::BlockStatus::kDamaged);
    auto loaded = client->Call(wire::FrameType::kLoad, LoadOf({KeyOf(1)}));
    EXPECT_EQ(wire::LoadReply::Decode(loaded->meta)->blocks[0].status, wire::BlockStatus::kMiss);
    payload[at] ^= 1;
  }
}

// Blocks of one store hold room that the next ones wait for. They wait in vain once, not each: meanwhile nobody else of
// the tenant gets in.
TEST_F(StoreReceiverTest, AStoreLargerThanItsQuotaWaitsForItselfOnce) {
  layout_ = SmallLayout(2, 64);  // records of 2,304 bytes
  Start();
  auto client = Connect();
  node_.shard(0)->store()->SetQuotas({{.name = "default", .ram_bytes = 8192}});
  std::vector<std::vector<uint8_t>> keys;
  for (uint64_t i = 0; i < 20; ++i) keys.push_back(KeyOf(i));
  const int64_t start_ns = loop_.NowNs();
  const std::vector<wire::BlockStatus> statuses = StoreBlocks(client.get(), keys);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), wire::BlockStatus::kOk), 3);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), wire::BlockStatus::kBusy), 17);
  EXPECT_LE(loop_.NowNs() - start_ns, int64_t{options_.limits.store_wait_ms} * 2 * 1'000'000);
}

TEST_F(StoreReceiverTest, BlocksLargerThanOneTransferAreStoredWhole) {
  options_.store.ram_bytes = 32 << 20;
  layout_ = SmallLayout(7, 33'000);  // 3.7 MB in segments of 528,000 bytes, received in several stretches
  Start();
  auto client = Connect();
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1), KeyOf(2), KeyOf(3)};
  for (const wire::BlockStatus status : StoreBlocks(client.get(), keys)) EXPECT_EQ(status, wire::BlockStatus::kOk);
  std::vector<uint8_t> payload;
  const std::vector<std::vector<uint8_t>> damaged_keys = {KeyOf(4)};
  const wire::Store store = StoreOf(damaged_keys, &payload);
  payload[3'000'000] ^= 8;
  auto answer = client->Call(wire::FrameType::kStore, store, payload);
  EXPECT_EQ(wire::StatusReply::Decode(answer->meta)->statuses[0], wire::BlockStatus::kDamaged);
  for (const auto& key : keys) {
    auto loaded = client->Call(wire::FrameType::kLoad, LoadOf({key}));
    EXPECT_EQ(Xxh3Of(loaded->payload), Xxh3Of(PayloadOf(key, layout_.groups[0].BlockBytes())));
  }
}

TEST_F(StoreReceiverTest, PayloadThatDoesNotFitTheLayoutIsRejected) {
  Start();
  auto client = Connect();
  const Layout other = SmallLayout(2, 64);
  const std::vector<uint8_t> bytes = PayloadOf(KeyOf(1), other.groups[0].BlockBytes());
  wire::Store store;
  wire::StoredBlock block;
  const auto key = KeyOf(1);
  block.key.key = key;
  block.segments = SegmentsOf(other.groups[0], bytes);
  store.blocks.push_back(block);
  std::vector<uint8_t> payload;
  AppendStored(bytes, block.segments, &payload);
  auto answer = client->Call(wire::FrameType::kStore, store, payload);
  EXPECT_EQ(wire::StatusReply::Decode(answer->meta)->statuses[0], wire::BlockStatus::kRejected);
  EXPECT_TRUE(StillServes(client.get()));
}

TEST_F(StoreReceiverTest, PayloadLengthOtherThanItsSegmentsIsRefused) {
  Start();
  auto client = Connect();
  std::vector<uint8_t> payload;
  const std::vector<std::vector<uint8_t>> stored_keys = {KeyOf(1)};
  const wire::Store store = StoreOf(stored_keys, &payload);
  payload.resize(payload.size() / 2);
  std::vector<uint8_t> meta;
  store.Encode(&meta);
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorFor(client.get(), wire::FrameType::kStore, meta, payload)));
  EXPECT_TRUE(StillServes(client.get()));
}

}  // namespace
}  // namespace incipit
