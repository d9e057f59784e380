// The block store under every policy: whoever goes, what is found is what was stored, in both tiers, and the same seed
// makes the same history.
#include "eviction/policies.h"

#include <gtest/gtest.h>

#include <random>

#include "cache/runtime/sim_loop.h"
#include "cache/seams/mem_disk.h"
#include "cache/shard/block_store.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::PayloadOf;
using testing::SmallLayout;

constexpr uint64_t kBlockBytes = 16 * 1024;
constexpr uint64_t kFamilies = 40, kLongestChain = 12;
constexpr int kRequests = 500;
constexpr int64_t kSecondNs = 1'000'000'000;

struct Outcome {
  uint64_t hits = 0, hits_nvme = 0, wrong_blocks = 0;
  StoreCounters counters;
  uint64_t blocks = 0;
  auto Key() const {
    return std::tuple(hits, hits_nvme, blocks, counters.evicted_from_ram, counters.evicted_from_nvme, counters.demoted,
                      counters.promoted);
  }
};

class PolicyRun {
 public:
  PolicyRun(const std::string& policy, uint64_t seed, bool with_nvme, uint64_t write_bytes_per_day = 0)
      : random_(MakeSeededRandom(seed)), draw_(seed) {
    BlockStoreOptions options;
    options.ram_bytes = 4 << 20;
    options.huge_pages = false;
    options.eviction = policy;
    options.max_ghosts = 500;
    options.nvme_write_bytes_per_day = write_bytes_per_day;
    NvmeOptions nvme;
    nvme.region_bytes = 512 << 10;
    if (with_nvme) disk_ = std::make_unique<MemDisk>(&loop_, contents_, MemDiskOptions{.latency_ns = 50'000});
    auto opened = loop_.Run(BlockStore::Open(&loop_, random_.get(), disk_.get(), options, nvme));
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    EXPECT_TRUE(loop_.Run(store_->Recover()).ok());
    store_->SetQuotas({{.name = "second", .ram_bytes = 1 << 20, .nvme_bytes = 2 << 20}});
    spaces_ = {*store_->namespaces().Open("first", "model", layout_),
               *store_->namespaces().Open("second", "model", layout_)};
  }

  Outcome Run() {
    for (int i = 0; i < kRequests; ++i) Request();
    outcome_.counters = store_->counters();
    outcome_.blocks = store_->gauges().blocks;
    EXPECT_EQ(store_->gauges().blocks_in_ram + store_->gauges().blocks_in_nvme_only, outcome_.blocks);
    EXPECT_TRUE(loop_.Run(store_->Shutdown(loop_.NowNs() + 100 * kSecondNs)).ok());
    store_.reset();
    return outcome_;
  }

 private:
  // A prompt of one of the families, whose beginnings all share two blocks: matched, loaded, checked, stored.
  void Request() {
    stamp_ns_ += kSecondNs / 4;
    const NamespaceId space = spaces_[draw_() % 2];
    const uint64_t family = std::min(draw_() % kFamilies, draw_() % kFamilies);
    const uint64_t length = 1 + draw_() % kLongestChain;
    std::vector<BlockId> present;
    for (uint64_t depth = 0; depth < length; ++depth) {
      const BlockId id = Find(space, family, depth);
      if (id != kNoBlock) present.push_back(id);
    }
    store_->TouchAll(present, stamp_ns_);
    if (!present.empty() && draw_() % 4 == 0) {
      store_->GiveHint(present.back(), {.next_use_ns = stamp_ns_ + 2 * kSecondNs, .expires_ns = stamp_ns_ + kSecondNs});
    }
    for (const BlockId id : present) store_->Pin(id);
    for (uint64_t depth = 0; depth < length; ++depth) Load(space, family, depth);
    for (const BlockId id : present) store_->Unpin(id);
    for (uint64_t depth = 0; depth < length; ++depth) Store(space, family, depth);
    if (draw_() % 20 == 0) Remove(space, family, draw_() % length);
  }

  static uint64_t NumberOf(uint64_t family, uint64_t depth) { return depth < 2 ? depth : 1000 * (family + 1) + depth; }
  BlockId Find(NamespaceId space, uint64_t family, uint64_t depth) {
    const std::vector<uint8_t> key = KeyOf(NumberOf(family, depth));
    return store_->Find(space, {0, 0, static_cast<uint32_t>(16 * depth), key});
  }

  void Load(NamespaceId space, uint64_t family, uint64_t depth) {
    const BlockId id = Find(space, family, depth);
    if (id == kNoBlock) return;
    const std::vector<uint8_t> wanted = PayloadOf(KeyOf(NumberOf(family, depth)), kBlockBytes);
    std::vector<uint8_t> found;
    const auto gather = [&](std::span<const iovec> pieces) {
      for (const iovec& piece : pieces) {
        const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
        found.insert(found.end(), bytes, bytes + piece.iov_len);
      }
    };
    if (store_->PresenceOf(id) == wire::Presence::kRam) {
      std::vector<iovec> pieces;
      store_->PayloadPieces(id, 0, kBlockBytes, &pieces);
      gather(pieces);
    } else {
      const auto read = loop_.Run(store_->ReadNvme(id, 0, UINT32_MAX, loop_.NowNs() + kSecondNs));
      ASSERT_TRUE(read.ok()) << read.status();
      gather(read->staged.payload());
      ++outcome_.hits_nvme;
    }
    ++outcome_.hits;
    outcome_.wrong_blocks += found != wanted;
  }

  void Store(NamespaceId space, uint64_t family, uint64_t depth) {
    const BlockId present = Find(space, family, depth);
    if (present != kNoBlock) return store_->Touch(present, stamp_ns_);
    const std::vector<uint8_t> key = KeyOf(NumberOf(family, depth));
    const std::vector<uint8_t> bytes = PayloadOf(key, kBlockBytes);
    const std::vector<Segment> segments = testing::SegmentsOf(layout_.groups[0], bytes);
    BlockStore::NewBlock block;
    block.name_space = space;
    block.key = {0, 0, static_cast<uint32_t>(16 * depth), key};
    block.stamp_ns = stamp_ns_;
    block.segments = segments;
    auto ticket = loop_.Run(store_->Reserve(&block, loop_.NowNs() + kSecondNs));
    ASSERT_TRUE(ticket.ok()) << ticket.status();
    std::vector<iovec> pieces;
    store_->PayloadPieces(ticket->id(), 0, kBlockBytes, &pieces);
    const uint8_t* from = bytes.data();
    for (const iovec& piece : pieces) {
      std::memcpy(piece.iov_base, from, piece.iov_len);
      from += piece.iov_len;
    }
    ASSERT_EQ(store_->Commit(*std::move(ticket), segments), wire::BlockStatus::kOk);
  }

  void Remove(NamespaceId space, uint64_t family, uint64_t depth) {
    const std::vector<uint8_t> key = KeyOf(NumberOf(family, depth));
    const wire::BlockStatus status = loop_.Run(store_->Remove(space, {0, 0, static_cast<uint32_t>(16 * depth), key}));
    EXPECT_TRUE(status == wire::BlockStatus::kOk || status == wire::BlockStatus::kMiss);
    EXPECT_EQ(Find(space, family, depth), kNoBlock);
  }

  SimLoop loop_;
  Layout layout_ = SmallLayout(4, 256);
  std::unique_ptr<Random> random_;
  std::mt19937_64 draw_;
  std::shared_ptr<MemDiskContents> contents_ = std::make_shared<MemDiskContents>(8 << 20);
  std::unique_ptr<MemDisk> disk_;
  std::unique_ptr<BlockStore> store_;
  std::vector<NamespaceId> spaces_;
  uint64_t stamp_ns_ = kSecondNs;
  Outcome outcome_;
};

class BlockStorePolicyTest : public ::testing::TestWithParam<std::string> {};

TEST_P(BlockStorePolicyTest, WhatIsFoundIsWhatWasStored) {
  for (const uint64_t seed : {1u, 2u}) {
    for (const bool with_nvme : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << (with_nvme ? ", with NVMe" : ", RAM alone"));
      const Outcome outcome = PolicyRun(GetParam(), seed, with_nvme).Run();
      EXPECT_EQ(outcome.wrong_blocks, 0u);
      EXPECT_GT(outcome.hits, 200u);
      EXPECT_GT(outcome.counters.evicted_from_ram + outcome.counters.evicted_from_nvme, 100u) << "nothing was at stake";
      EXPECT_EQ(outcome.hits_nvme > 0, with_nvme);
      EXPECT_EQ(outcome.counters.demoted + outcome.counters.backed_up > 0, with_nvme);
    }
  }
}

TEST_P(BlockStorePolicyTest, SameSeedSameHistory) {
  EXPECT_EQ(PolicyRun(GetParam(), 5, true).Run().Key(), PolicyRun(GetParam(), 5, true).Run().Key());
}

TEST_P(BlockStorePolicyTest, WritesKeepToTheirBudget) {
  const Outcome free = PolicyRun(GetParam(), 3, true).Run();
  // A run takes seconds, in which a day's budget does not grow: one MiB is there at the start.
  const Outcome limited = PolicyRun(GetParam(), 3, true, 24 << 20).Run();
  const auto written = [](const Outcome& outcome) {
    return kBlockBytes * (outcome.counters.demoted + outcome.counters.backed_up);
  };
  EXPECT_GT(written(free), 3u << 20);
  EXPECT_GT(written(limited), 0u);
  EXPECT_LE(written(limited), 3u << 19);  // openings of prompts that were written in part may go beyond
  EXPECT_GT(limited.counters.over_write_budget, 50u);
  EXPECT_EQ(limited.wrong_blocks, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, BlockStorePolicyTest, ::testing::ValuesIn(PolicyNames()), [](const auto& tested) {
  std::string name = tested.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(BlockStorePolicyNameTest, UnknownPolicyIsRefusedAtTheStart) {
  SimLoop loop;
  const std::unique_ptr<Random> random = MakeSeededRandom(1);
  BlockStoreOptions options;
  options.ram_bytes = 4 << 20;
  options.huge_pages = false;
  options.eviction = "clock";
  const auto opened = loop.Run(BlockStore::Open(&loop, random.get(), nullptr, options, {}));
  EXPECT_TRUE(absl::IsNotFound(opened.status())) << opened.status();
}

}  // namespace
}  // namespace incipit
