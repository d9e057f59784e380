// An index cut to 8 bits: nearly every lookup meets another block's entry. The whole identity decides, so a lookup
// gives the right bytes or a miss. INCIPIT_CAMPAIGN_COUNT lookups from INCIPIT_SEED.
#include <gtest/gtest.h>

#include <cstdio>

#include "cache/seams/mem_disk.h"
#include "tests/support/blocks.h"
#include "tests/support/campaign.h"
#include "tests/support/sim_node.h"
#include "tests/support/wire_client.h"

namespace incipit {
namespace {

using testing::CampaignCount;
using testing::CampaignSeed;
using testing::KeyOf;
using testing::PayloadOf;
using testing::SegmentsOf;
using testing::SimNode;
using testing::SmallLayout;
using testing::WireClient;

constexpr uint64_t kKeys = 20'000;
constexpr uint64_t kBatch = 1000;

class Collisions : public ::testing::Test {
 protected:
  Collisions()
      : random_(MakeSeededRandom(CampaignSeed())),
        network_(&loop_, random_.get()),
        disk_(&loop_, std::make_shared<MemDiskContents>(16 << 20)),
        node_(&loop_, &network_, random_.get()) {}
  void Start() {
    ShardOptions options;
    options.store.index_hash_bits = 8;
    options.store.ram_bytes = 4 << 20;  // less than 256 blocks, which such an index can name: both tiers hold some
    options.nvme.region_bytes = 512 << 10;
    options.nvme.write_buffer_bytes = 128 << 10;
    options.nvme.read_slot_bytes = 64 << 10;
    const absl::Status started = node_.Start(options, {&disk_});
    ASSERT_TRUE(started.ok()) << started;
    client_ = std::make_unique<WireClient>(&loop_, &network_, "node");
    ASSERT_TRUE(client_->SayHello().ok());
    ASSERT_TRUE(client_->Open(layout_).ok());
  }
  wire::BlockStatus Store(uint64_t number) {
    loop_.RunUntil(loop_.NowNs() + 1000);
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
  void Remove(uint64_t number) {
    const auto key = KeyOf(number);
    wire::Remove remove;
    remove.keys.push_back({0, 0, 0, key});
    EXPECT_TRUE(client_->Call(wire::FrameType::kRemove, remove).ok());
  }
  // Loads a batch of keys, most of them never stored, and compares every byte of the hits.
  void LoadBatch() {
    std::vector<std::vector<uint8_t>> keys;
    for (uint64_t i = 0; i < kBatch; ++i) keys.push_back(KeyOf(random_->Below(kKeys)));
    wire::Load load;
    for (const auto& key : keys) load.keys.push_back({0, 0, 0, key});
    std::vector<uint8_t> meta;
    load.Encode(&meta);
    ASSERT_TRUE(client_->SendFrame(wire::FrameType::kLoad, 99, meta).ok());
    uint64_t answered = 0;
    for (bool last = false; !last;) {
      auto answer = client_->Receive();
      ASSERT_TRUE(answer.ok()) << answer.status();
      auto reply = wire::LoadReply::Decode(answer->meta);
      ASSERT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
      last = (answer->header.flags & wire::kFrameFlagLast) != 0;
      answered += reply->blocks.size();
      const uint8_t* at = answer->payload.data();
      for (const wire::LoadedBlock& block : reply->blocks) {
        if (block.status != wire::BlockStatus::kOk) continue;
        ++hits_;
        const std::vector<uint8_t> expected = PayloadOf(keys[block.index], layout_.groups[0].BlockBytes());
        wrong_ += std::memcmp(at, expected.data(), expected.size()) != 0;
        at += expected.size();
      }
    }
    ASSERT_EQ(answered, kBatch);
    lookups_ += kBatch;
  }

  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 512);  // 32 KiB blocks
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  MemDisk disk_;
  SimNode node_;
  std::unique_ptr<WireClient> client_;
  uint64_t lookups_ = 0, hits_ = 0, wrong_ = 0;
};

TEST_F(Collisions, EightBitIndexNeverGivesWrongBytes) {
  const uint64_t count = CampaignCount(50'000);
  SCOPED_TRACE(::testing::Message() << "seed " << CampaignSeed());
  Start();
  if (HasFatalFailure()) return;
  while (lookups_ < count) {
    for (int i = 0; i < 40; ++i) Store(random_->Below(kKeys));
    for (int i = 0; i < 10; ++i) Remove(random_->Below(kKeys));
    LoadBatch();
    if (HasFailure()) return;
  }
  const ShardReport report = node_.shard(0)->Report();
  std::printf("lookups with an 8-bit index: %lu, hits %lu (%lu from NVMe), collisions %lu, wrong bytes %lu, seed %lu\n",
              lookups_, hits_, report.requests.load_hits_nvme, report.store.index_collisions, wrong_, CampaignSeed());
  EXPECT_EQ(wrong_, 0u);
  EXPECT_GT(hits_, count / 200);
  EXPECT_GT(report.store.index_collisions, 100u);
  EXPECT_LE(report.gauges.blocks, 256u);
}

}  // namespace
}  // namespace incipit
