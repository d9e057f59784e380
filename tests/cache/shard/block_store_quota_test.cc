// Quotas of tenants in the block store, with and without NVMe.
#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"
#include "cache/seams/mem_disk.h"
#include "cache/shard/block_store.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::SmallLayout;

constexpr uint64_t kBlockBytes = 16 * 1024;
constexpr int64_t kMillisecondNs = 1'000'000;

class BlockStoreQuotaTest : public ::testing::Test {
 protected:
  void Open(uint64_t ram_bytes, bool with_nvme = false) {
    BlockStoreOptions options;
    options.ram_bytes = ram_bytes;
    options.huge_pages = false;
    NvmeOptions nvme;
    nvme.region_bytes = 512 << 10;
    if (with_nvme) disk_ = std::make_unique<MemDisk>(&loop_, contents_, MemDiskOptions{.latency_ns = 50'000});
    auto opened = loop_.Run(BlockStore::Open(&loop_, random_.get(), disk_.get(), options, nvme));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    if (!found_quota_.empty()) store_->SetQuotas(found_quota_);
    ASSERT_TRUE(loop_.Run(store_->Recover()).ok());
  }
  ~BlockStoreQuotaTest() override { Close(); }
  void Close() {
    if (store_ == nullptr) return;
    EXPECT_TRUE(loop_.Run(store_->Shutdown(loop_.NowNs() + 1000 * kMillisecondNs)).ok());
    store_.reset();
    disk_.reset();
  }
  NamespaceId SpaceOf(const std::string& tenant) { return *store_->namespaces().Open(tenant, "model", layout_); }
  void SetQuota(const std::string& tenant, uint64_t ram_bytes, uint64_t nvme_bytes = kNoQuota) {
    store_->SetQuotas({{.name = tenant, .ram_bytes = ram_bytes, .nvme_bytes = nvme_bytes}});
  }
  absl::Status Store(const std::string& tenant, uint64_t number, int64_t wait_ns = 0) {
    const std::vector<uint8_t> key = KeyOf(number);
    const std::vector<uint8_t> bytes = testing::PayloadOf(key, kBlockBytes);
    const std::vector<Segment> segments = testing::SegmentsOf(layout_.groups[0], bytes);
    BlockStore::NewBlock block;
    block.name_space = SpaceOf(tenant);
    block.key = {0, 0, 0, key};
    block.stamp_ns = ++stamp_ns_;
    block.segments = segments;
    auto ticket = loop_.Run(store_->Reserve(&block, loop_.NowNs() + wait_ns));
    if (!ticket.ok()) return ticket.status();
    std::vector<iovec> pieces;
    store_->PayloadPieces(ticket->id(), 0, kBlockBytes, &pieces);
    const uint8_t* from = bytes.data();
    for (const iovec& piece : pieces) {
      std::memcpy(piece.iov_base, from, piece.iov_len);
      from += piece.iov_len;
    }
    EXPECT_EQ(store_->Commit(*std::move(ticket), segments), wire::BlockStatus::kOk);
    return absl::OkStatus();
  }
  BlockId Find(const std::string& tenant, uint64_t number) {
    const std::vector<uint8_t> key = KeyOf(number);
    return store_->Find(SpaceOf(tenant), {0, 0, 0, key});
  }
  uint64_t Count(const std::string& tenant, uint64_t first, uint64_t end) {
    uint64_t found = 0;
    for (uint64_t i = first; i < end; ++i) found += Find(tenant, i) != kNoBlock;
    return found;
  }
  TenantUsage UsageOf(const std::string& tenant) {
    for (const TenantReport& report : store_->TenantReports()) {
      if (report.name == tenant) return report.usage;
    }
    return {};
  }
  // What the tenant's blocks take by walking over them.
  void ExpectUsageIsWhatBlocksTake(const std::string& tenant, uint64_t end) {
    uint64_t ram = 0, nvme = 0, blocks = 0;
    for (uint64_t i = 0; i < end; ++i) {
      const BlockId id = Find(tenant, i);
      if (id == kNoBlock) continue;
      const Entry& entry = store_->At(id);
      ++blocks;
      if (!entry.ram.empty()) ram += Arena::AllocatedBytesFor(entry.RecordBytes());
      if (!entry.in_ram) nvme += entry.RecordBytes();
    }
    EXPECT_EQ(UsageOf(tenant).blocks, blocks);
    EXPECT_EQ(UsageOf(tenant).ram_bytes, ram);
    EXPECT_EQ(UsageOf(tenant).nvme_bytes, nvme);
    EXPECT_EQ(UsageOf(tenant).demoting_bytes, 0u);
    EXPECT_EQ(UsageOf(tenant).nvme_writing_bytes, 0u);
  }
  void Settle() { loop_.RunUntil(loop_.NowNs() + 500 * kMillisecondNs); }

  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 256);  // 4 segments of 4 KiB
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  std::shared_ptr<MemDiskContents> contents_ = std::make_shared<MemDiskContents>(16 << 20);
  std::unique_ptr<MemDisk> disk_;
  std::unique_ptr<BlockStore> store_;
  std::vector<TenantQuota> found_quota_;  // before what is on NVMe is found, as a node does
  uint64_t stamp_ns_ = 1'000;
};

TEST_F(BlockStoreQuotaTest, TenantAtItsQuotaEvictsItselfAndNobodyElse) {
  Open(4 << 20);
  SetQuota("small", 20 * kBlockBytes);
  SetQuota("big", kNoQuota);
  for (uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(Store("big", i).ok());  // older than all that follows
  for (uint64_t i = 0; i < 500; ++i) ASSERT_TRUE(Store("small", i).ok()) << i;
  EXPECT_EQ(Count("big", 0, 50), 50u);
  EXPECT_GE(Count("small", 0, 500), 18u);
  EXPECT_LE(UsageOf("small").ram_bytes, 20 * kBlockBytes);
  EXPECT_NE(Find("small", 499), kNoBlock) << "the least valued go first";
  EXPECT_GT(UsageOf("small").evicted_for_quota, 400u);
  ExpectUsageIsWhatBlocksTake("small", 500);
  ExpectUsageIsWhatBlocksTake("big", 50);
}

TEST_F(BlockStoreQuotaTest, WithoutAQuotaTheOldestOfAllGoes) {
  Open(4 << 20);
  SetQuota("a", kNoQuota);
  SetQuota("b", kNoQuota);
  for (uint64_t i = 0; i < 30; ++i) ASSERT_TRUE(Store("a", i).ok());
  for (uint64_t i = 0; i < 400; ++i) ASSERT_TRUE(Store("b", i).ok());
  EXPECT_EQ(Count("a", 0, 30), 0u);
}

TEST_F(BlockStoreQuotaTest, BlockOverTheWholeQuotaIsRefusedForGoodAndOneInUseForNow) {
  Open(4 << 20);
  SetQuota("tiny", kBlockBytes / 2);
  EXPECT_TRUE(absl::IsFailedPrecondition(Store("tiny", 1)));
  SetQuota("tiny", 2 * kBlockBytes);
  ASSERT_TRUE(Store("tiny", 1).ok());
  store_->Pin(Find("tiny", 1));
  EXPECT_TRUE(absl::IsResourceExhausted(Store("tiny", 2, kMillisecondNs))) << "pinned, and no NVMe to go to";
  EXPECT_EQ(UsageOf("tiny").refused_for_quota, 2u);
  store_->Unpin(Find("tiny", 1));
  EXPECT_TRUE(Store("tiny", 2, kMillisecondNs).ok());
  ExpectUsageIsWhatBlocksTake("tiny", 3);
}

TEST_F(BlockStoreQuotaTest, DroppedStoresGiveBackWhatTheyWereCounted) {
  Open(4 << 20);
  SetQuota("a", 10 * kBlockBytes);
  const std::vector<uint8_t> key = KeyOf(1);
  const std::vector<Segment> segments = testing::SegmentsOf(layout_.groups[0], testing::PayloadOf(key, kBlockBytes));
  BlockStore::NewBlock block;
  block.name_space = SpaceOf("a");
  block.key = {0, 0, 0, key};
  block.segments = segments;
  for (int i = 0; i < 100; ++i) {
    auto ticket = loop_.Run(store_->Reserve(&block, loop_.NowNs()));
    ASSERT_TRUE(ticket.ok()) << ticket.status();
    EXPECT_GT(UsageOf("a").ram_bytes, kBlockBytes);
  }
  EXPECT_EQ(UsageOf("a").ram_bytes, 0u);
}

TEST_F(BlockStoreQuotaTest, LeavingRamForTheQuotaMeansNvmeWhereThereIsRoom) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes);
  SetQuota("b", kNoQuota);
  for (uint64_t i = 0; i < 40; ++i) ASSERT_TRUE(Store("b", i, 500 * kMillisecondNs).ok());
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_EQ(Count("a", 0, 100), 100u) << "all are still there";
  EXPECT_LE(UsageOf("a").ram_bytes, 20 * kBlockBytes);
  EXPECT_EQ(Count("b", 0, 40), 40u);
  for (uint64_t i = 0; i < 40; ++i) EXPECT_EQ(store_->PresenceOf(Find("b", i)), wire::Presence::kRam) << i;
  ExpectUsageIsWhatBlocksTake("a", 100);
}

TEST_F(BlockStoreQuotaTest, NvmeQuotaEvictsTheTenantsOwnOldestFromNvme) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes, 30 * kBlockBytes);
  SetQuota("b", 20 * kBlockBytes);
  for (uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(Store("b", i, 500 * kMillisecondNs).ok());
  for (uint64_t i = 0; i < 300; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok()) << i;
  Settle();
  EXPECT_EQ(Count("b", 0, 60), 60u);
  EXPECT_LE(UsageOf("a").nvme_bytes, 30 * kBlockBytes);
  EXPECT_GE(Count("a", 0, 300), 40u);
  EXPECT_LE(Count("a", 0, 300), 50u);
  EXPECT_EQ(Count("a", 260, 300), 40u) << "the newest stay";
  ExpectUsageIsWhatBlocksTake("a", 300);
  ExpectUsageIsWhatBlocksTake("b", 60);
}

TEST_F(BlockStoreQuotaTest, WithNoNvmeAtAllItsBlocksAreEvictedAndNeverWritten) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes, 0);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_EQ(UsageOf("a").nvme_bytes, 0u);
  EXPECT_EQ(store_->counters().backed_up + store_->counters().demoted, 0u);
  EXPECT_LE(Count("a", 0, 100), 20u);
}

TEST_F(BlockStoreQuotaTest, PromotionKeepsWithinTheQuota) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 10 * kBlockBytes);
  for (uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  for (uint64_t round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < 60; ++i) {
      const BlockId id = Find("a", i);
      ASSERT_NE(id, kNoBlock);
      if (store_->PresenceOf(id) == wire::Presence::kRam) continue;
      auto read = loop_.Run(store_->ReadNvme(id, 0, 4, kForeverNs));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_LE(UsageOf("a").ram_bytes, 10 * kBlockBytes);
    }
    Settle();
  }
  EXPECT_GT(store_->counters().promoted, 10u);
  ExpectUsageIsWhatBlocksTake("a", 60);
}

TEST_F(BlockStoreQuotaTest, LowerQuotaTakesEffectAsTheTenantStoresAndNotAtOnce) {
  Open(4 << 20);
  SetQuota("a", kNoQuota);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i).ok());
  SetQuota("a", 20 * kBlockBytes);
  EXPECT_EQ(Count("a", 0, 100), 100u);
  uint64_t before = UsageOf("a").blocks;
  for (uint64_t i = 100; i < 200; ++i) {
    ASSERT_TRUE(Store("a", i).ok()) << i << ": nothing is refused meanwhile";
    EXPECT_NE(Find("a", i), kNoBlock);
    EXPECT_GE(UsageOf("a").blocks + 1, before)
        << i << ": it loses one for each that it stores, beside the room for that";
    before = UsageOf("a").blocks;
  }
  EXPECT_LE(UsageOf("a").ram_bytes, 20 * kBlockBytes) << "as much was stored as was above the quota";
  EXPECT_EQ(UsageOf("a").refused_for_quota, 0u);
  EXPECT_NE(Find("a", 199), kNoBlock) << "the least valued went";
  ExpectUsageIsWhatBlocksTake("a", 200);
}

TEST_F(BlockStoreQuotaTest, TheSameQuotaAgainBringsNoSurplusBack) {
  Open(4 << 20);
  SetQuota("a", kNoQuota);
  for (uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(Store("a", i).ok());
  for (uint64_t i = 60; i < 140; ++i) {
    SetQuota("a", 20 * kBlockBytes);  // as each new map does
    ASSERT_TRUE(Store("a", i).ok());
  }
  EXPECT_LE(UsageOf("a").ram_bytes, 20 * kBlockBytes);
}

TEST_F(BlockStoreQuotaTest, WhatIsAboveAQuotaThatFellGoesFirstWhenOthersNeedRoom) {
  Open(4 << 20);
  SetQuota("a", kNoQuota);
  SetQuota("b", kNoQuota);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("b", i).ok());
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i).ok());  // used after all of the other's
  SetQuota("a", 40 * kBlockBytes);
  uint64_t next = 100;
  while (UsageOf("a").ram_bytes > 40 * kBlockBytes) ASSERT_TRUE(Store("b", next++).ok()) << next;
  EXPECT_EQ(Count("b", 0, next), next) << "none of its own went before that";
  ASSERT_LT(next, 400u);
  const uint64_t left = UsageOf("a").blocks;
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(Store("b", next++).ok());
  EXPECT_EQ(UsageOf("a").blocks, left) << "within its share it competes by age";
}

TEST_F(BlockStoreQuotaTest, OnNvmeTooWhatIsAboveAQuotaThatFellGoesFirst) {
  contents_ = std::make_shared<MemDiskContents>(8 << 20);
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 60 * kBlockBytes);
  SetQuota("b", kNoQuota);
  for (uint64_t i = 0; i < 150; ++i) ASSERT_TRUE(Store("b", i, 500 * kMillisecondNs).ok());
  for (uint64_t i = 0; i < 250; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  ASSERT_EQ(Count("b", 0, 150), 150u);
  SetQuota("a", 60 * kBlockBytes, 20 * kBlockBytes);
  ASSERT_GT(UsageOf("a").nvme_bytes, 100 * kBlockBytes);
  uint64_t next = 150;
  while (UsageOf("a").nvme_bytes > 20 * kBlockBytes && next < 1000) {
    ASSERT_TRUE(Store("b", next++, 500 * kMillisecondNs).ok());
    Settle();
  }
  EXPECT_LE(UsageOf("a").nvme_bytes, 20 * kBlockBytes);
  EXPECT_GE(UsageOf("a").nvme_bytes, 18 * kBlockBytes) << "what is within the share goes by age";
  EXPECT_EQ(Count("b", 0, next), next) << "though older than all of the other's";
}

TEST_F(BlockStoreQuotaTest, WhereAShareIsLessThanABlockOneBlockHasAPlace) {
  Open(4 << 20, /*with_nvme=*/true);
  store_->SetQuotas({{.name = "a",
                      .ram_bytes = kBlockBytes / 2,
                      .nvme_bytes = kBlockBytes / 2,
                      .lone_ram_bytes = 4 * kBlockBytes,
                      .lone_nvme_bytes = 4 * kBlockBytes}});
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok()) << i;
    Settle();
    EXPECT_NE(Find("a", i), kNoBlock);
    EXPECT_LE(UsageOf("a").ram_bytes, 2 * kBlockBytes);
    EXPECT_LE(UsageOf("a").nvme_bytes, 2 * kBlockBytes);
  }
  EXPECT_EQ(Count("a", 0, 10), 2u) << "one in RAM and one on NVMe";
  EXPECT_EQ(UsageOf("a").refused_for_quota, 0u);
  ExpectUsageIsWhatBlocksTake("a", 10);
}

TEST_F(BlockStoreQuotaTest, BlocksFromBeforeTheTenantWasListedCountForIt) {
  Open(4 << 20, /*with_nvme=*/true);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  SetQuota("a", 10 * kBlockBytes);
  ExpectUsageIsWhatBlocksTake("a", 100);
  EXPECT_EQ(UsageOf("a").blocks, 100u);
  for (uint64_t i = 100; i < 210; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_LE(UsageOf("a").ram_bytes, 10 * kBlockBytes);
  ExpectUsageIsWhatBlocksTake("a", 210);
}

TEST_F(BlockStoreQuotaTest, BlocksFoundAtStartCountForTheirTenant) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes);
  for (uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  Close();
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes, 30 * kBlockBytes);
  EXPECT_GE(UsageOf("a").blocks, 40u);
  ExpectUsageIsWhatBlocksTake("a", 60);
  for (uint64_t i = 100; i < 140; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_LE(UsageOf("a").nvme_bytes, 30 * kBlockBytes);
  ExpectUsageIsWhatBlocksTake("a", 140);
}

TEST_F(BlockStoreQuotaTest, BlocksFoundAboveTheQuotaDoNotGoAtOnce) {
  Open(4 << 20, /*with_nvme=*/true);
  SetQuota("a", 20 * kBlockBytes);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  Close();
  found_quota_ = {{.name = "a", .ram_bytes = 10 * kBlockBytes, .nvme_bytes = 30 * kBlockBytes}};
  Open(4 << 20, /*with_nvme=*/true);
  const uint64_t found = UsageOf("a").blocks;
  ASSERT_GE(found, 80u);
  for (uint64_t i = 100; i < 120; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_GE(UsageOf("a").blocks, found - 20);
  for (uint64_t i = 120; i < 260; ++i) ASSERT_TRUE(Store("a", i, 500 * kMillisecondNs).ok());
  Settle();
  EXPECT_LE(UsageOf("a").nvme_bytes, 30 * kBlockBytes);
  ExpectUsageIsWhatBlocksTake("a", 260);
}

TEST_F(BlockStoreQuotaTest, TenantUsesOnlyItsOwnNumberOfNamespaces) {
  Open(4 << 20);
  SetQuota("a", kNoQuota);
  SetQuota("b", kNoQuota);
  for (size_t i = 0; i < kMaxNamespacesPerTenant; ++i) {
    ASSERT_TRUE(store_->namespaces().Open("a", std::to_string(i), layout_).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(store_->namespaces().Open("a", "one more", layout_).status()));
  EXPECT_TRUE(store_->namespaces().Open("a", "7", layout_).ok()) << "one that it has";
  EXPECT_TRUE(store_->namespaces().Open("b", "one more", layout_).ok());
}

}  // namespace
}  // namespace incipit
