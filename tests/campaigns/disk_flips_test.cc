// Bits that rot on the device: in payloads, in record headers, in the pages that recovery reads. Whatever is hit, a
// load gives the right bytes or none. INCIPIT_CAMPAIGN_COUNT flips of each kind from INCIPIT_SEED.
#include <gtest/gtest.h>

#include <cstdio>

#include "cache/format/region.h"
#include "cache/nvme/store_superblock.h"
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

constexpr uint64_t kBlocks = 240;
constexpr uint64_t kRegionBytes = 512 << 10;
constexpr uint64_t kDiskBytes = 5 << 20;
constexpr int64_t kSecondNs = 1'000'000'000;

// One life of a node that finds its blocks on the device.
class Life {
 public:
  explicit Life(std::shared_ptr<MemDiskContents> contents)
      : random_(MakeSeededRandom(CampaignSeed())),
        network_(&loop_, random_.get()),
        disk_(&loop_, std::move(contents)),
        node_(&loop_, &network_, random_.get()) {}
  ~Life() { node_.Stop(); }

  absl::Status Start() {
    ShardOptions options;
    options.store.ram_bytes = 4 << 20;
    options.nvme.region_bytes = kRegionBytes;
    options.nvme.write_buffer_bytes = 128 << 10;
    options.nvme.read_slot_bytes = 64 << 10;
    options.nvme.read_slots = 8;
    absl::Status status = node_.Start(options, {&disk_});
    if (!status.ok()) return status;
    client_ = std::make_unique<WireClient>(&loop_, &network_, "node");
    auto hello = client_->SayHello();
    if (!hello.ok()) return hello.status();
    status = client_->Open(layout_).status();
    for (int i = 0; i < 1000 && status.ok() && !node_.shard(0)->Report().gauges.recovered; ++i)
      loop_.RunUntil(loop_.NowNs() + kSecondNs / 1000);
    return status;
  }
  void StoreAll() {
    for (uint64_t i = 0; i < kBlocks; ++i) {
      const auto key = KeyOf(i);
      const auto bytes = PayloadOf(key, layout_.groups[0].BlockBytes());
      wire::Store store;
      wire::StoredBlock block;
      block.key.key = key;
      block.segments = SegmentsOf(layout_.groups[0], bytes);
      store.blocks.push_back(block);
      std::vector<uint8_t> payload;
      testing::AppendStored(bytes, block.segments, &payload);
      auto answer = client_->Call(wire::FrameType::kStore, store, payload);
      ASSERT_TRUE(answer.ok()) << answer.status();
      ASSERT_EQ(wire::StatusReply::Decode(answer->meta)->statuses[0], wire::BlockStatus::kOk);
    }
    loop_.RunUntil(loop_.NowNs() + kSecondNs);
  }
  // kOk only with the right bytes: wrong ones fail the test.
  wire::BlockStatus Load(uint64_t number) {
    const auto key = KeyOf(number);
    wire::Load load;
    load.keys.push_back({0, 0, 0, key});
    auto answer = client_->Call(wire::FrameType::kLoad, load);
    EXPECT_TRUE(answer.ok()) << answer.status();
    auto reply = wire::LoadReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (reply->blocks[0].status == wire::BlockStatus::kOk) {
      EXPECT_EQ(answer->payload, PayloadOf(key, layout_.groups[0].BlockBytes())) << "WRONG BYTES";
    }
    return reply->blocks[0].status;
  }
  uint64_t CountHits() {
    uint64_t hits = 0;
    for (uint64_t i = 0; i < kBlocks; ++i) hits += Load(i) == wire::BlockStatus::kOk;
    return hits;
  }
  struct Place {
    uint64_t start = 0;  // on the device
    uint32_t header_bytes = 0;
    uint32_t stored_bytes = 0;
  };
  Place PlaceOf(uint64_t number) {
    const auto key = KeyOf(number);
    BlockStore* store = node_.shard(0)->store();
    const BlockId id = store->Find(0, {0, 0, 0, key});
    if (id == kNoBlock || !store->At(id).nvme.valid()) return {};
    const Entry& entry = store->At(id);
    return {RegionStart(entry.nvme.region, kRegionBytes) + entry.nvme.offset, entry.header_bytes, entry.stored_bytes};
  }
  uint64_t damaged() { return node_.shard(0)->Report().store.damaged_on_nvme; }

 private:
  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 64);  // 4 KiB blocks
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  MemDisk disk_;
  SimNode node_;
  std::unique_ptr<WireClient> client_;
};

// A device on which a node wrote all blocks and stopped; each life of a test starts from a copy of it.
const MemDiskContents& Written() {
  static const std::shared_ptr<MemDiskContents> contents = [] {
    auto made = std::make_shared<MemDiskContents>(kDiskBytes);
    Life life(made);
    const absl::Status started = life.Start();
    EXPECT_TRUE(started.ok()) << started;
    if (started.ok()) life.StoreAll();
    return made;
  }();
  return *contents;
}

std::shared_ptr<MemDiskContents> CopyOfWritten() { return std::make_shared<MemDiskContents>(Written()); }

TEST(DiskFlips, UndamagedDeviceGivesEveryBlock) {
  Life life(CopyOfWritten());
  const absl::Status started = life.Start();
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(life.CountHits(), kBlocks);
}

TEST(DiskFlips, FlippedPayloadBitIsAMiss) {
  const uint64_t seed = CampaignSeed(), count = CampaignCount(2000);
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  auto random = MakeSeededRandom(seed);
  uint64_t flips = 0, lives = 0;
  while (flips < count) {
    auto contents = CopyOfWritten();
    Life life(contents);
    const absl::Status started = life.Start();
    ASSERT_TRUE(started.ok()) << started;
    ++lives;
    const uint64_t blocks = std::min(kBlocks, count - flips);
    for (uint64_t i = 0; i < blocks; ++i, ++flips) {
      const Life::Place place = life.PlaceOf(i);
      ASSERT_GT(place.stored_bytes, 0u) << "block " << i << " is not on the device";
      const uint64_t byte = place.start + place.header_bytes + random->Below(place.stored_bytes);
      contents->FlipBit(byte, static_cast<int>(random->Below(8)));
      ASSERT_NE(life.Load(i), wire::BlockStatus::kOk) << "flip at byte " << byte << " of block " << i;
    }
    ASSERT_EQ(life.damaged(), blocks);
  }
  std::printf("payload flips on disk: %lu, detected %lu, lives %lu, wrong bytes 0, seed %lu\n", flips, flips, lives,
              seed);
}

TEST(DiskFlips, EveryFlippedHeaderBitIsAMiss) {
  uint64_t bits = 1, next = 0;
  while (next < bits) {
    auto contents = CopyOfWritten();
    Life life(contents);
    const absl::Status started = life.Start();
    ASSERT_TRUE(started.ok()) << started;
    for (uint64_t i = 0; i < kBlocks && next < bits; ++i, ++next) {
      const Life::Place place = life.PlaceOf(i);
      ASSERT_GT(place.header_bytes, 0u) << "block " << i << " is not on the device";
      bits = uint64_t{place.header_bytes} * 8;
      contents->FlipBit(place.start + next / 8, static_cast<int>(next % 8));
      ASSERT_NE(life.Load(i), wire::BlockStatus::kOk) << "header bit " << next;
    }
  }
  std::printf("header bits flipped on disk: %lu of %lu, all detected, wrong bytes 0\n", next, bits);
}

// The places that recovery reads: a flip may cost blocks, never give wrong ones, and never keeps a node from starting.
TEST(DiskFlips, FlippedBitOfSuperblockRegionPageOrTableOfContentsCostsBlocksAtMost) {
  const uint64_t seed = CampaignSeed(), count = CampaignCount(2000) / 10;
  std::vector<uint8_t> page(kDiskPageBytes);
  const uint64_t footer = RegionStart(0, kRegionBytes) + kRegionBytes - kDiskPageBytes;
  Written().Read(footer, page);
  const absl::StatusOr<RegionFooter> decoded = RegionFooter::Decode(page);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const uint64_t toc = RegionStart(0, kRegionBytes) + decoded->toc_offset;
  const std::pair<uint64_t, uint64_t> ranges[] = {{kSuperblockOffset, kDiskPageBytes},
                                                  {kSuperblockCopyOffset, kDiskPageBytes},
                                                  {RegionStart(0, kRegionBytes), kDiskPageBytes},
                                                  {footer, kDiskPageBytes},
                                                  {toc, decoded->toc_bytes}};
  auto random = MakeSeededRandom(seed);
  uint64_t flips = 0, lost = 0;
  for (const auto& [start, bytes] : ranges) {
    const uint64_t stride = std::max<uint64_t>(1, bytes * 8 / std::max<uint64_t>(1, count / std::size(ranges)));
    for (uint64_t bit = random->Below(stride); bit < bytes * 8; bit += stride, ++flips) {
      SCOPED_TRACE(::testing::Message() << "bit " << bit << " of the " << bytes << " bytes at " << start);
      auto contents = CopyOfWritten();
      contents->FlipBit(start + bit / 8, static_cast<int>(bit % 8));
      Life life(contents);
      const absl::Status started = life.Start();
      ASSERT_TRUE(started.ok()) << started;
      lost += kBlocks - life.CountHits();
      if (::testing::Test::HasFailure()) return;
    }
  }
  std::printf("flips in pages of recovery: %lu, blocks lost to them %lu, wrong bytes 0, seed %lu\n", flips, lost, seed);
  EXPECT_LT(lost, flips * kBlocks / 2);
}

}  // namespace
}  // namespace incipit
