#include "cache/shard/block_store.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "cache/runtime/sim_loop.h"
#include "eviction/policy_peers.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::SmallLayout;

class BlockStoreTest : public ::testing::Test {
 protected:
  // Over one shard it is one of several that decide together.
  void Open(uint64_t ram_bytes, const std::string& eviction = "lru", uint32_t shards = 1) {
    BlockStoreOptions options;
    options.eviction = eviction;
    if (shards > 1) options.ram_peers = options.all_peers = std::make_shared<PolicyPeers>(shards);
    options.ram_bytes = ram_bytes;
    options.huge_pages = false;
    auto opened = loop_.Run(BlockStore::Open(&loop_, random_.get(), nullptr, options, {}));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    name_space_ = *store_->namespaces().Open("tenant", "model", layout_);
  }
  ~BlockStoreTest() override {
    if (store_ == nullptr) return;
    EXPECT_TRUE(loop_.Run(store_->Shutdown(kForeverNs)).ok());
  }

  // Without payload: only what is known of blocks matters here.
  void Store(uint64_t number, uint32_t depth_tokens) {
    const std::vector<uint8_t> key = KeyOf(number);
    const std::vector<Segment> segments(layout_.groups[0].SegmentsOfPart(0),
                                        Segment{static_cast<uint32_t>(layout_.groups[0].SegmentBytes()),
                                                static_cast<uint32_t>(layout_.groups[0].SegmentBytes()), number});
    BlockStore::NewBlock block;
    block.name_space = name_space_;
    block.key = {0, 0, depth_tokens, key};
    block.stamp_ns = 1'000 + number / 1'000;
    block.segments = segments;
    auto ticket = loop_.Run(store_->Reserve(&block, loop_.NowNs()));
    ASSERT_TRUE(ticket.ok()) << ticket.status();
    ASSERT_EQ(store_->Commit(*std::move(ticket), segments), wire::BlockStatus::kOk);
  }

  SimLoop loop_;
  Layout layout_ = SmallLayout(1, 64);
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  std::unique_ptr<BlockStore> store_;
  NamespaceId name_space_ = 0;
};

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
struct Metadata {
  const char* eviction;
  uint32_t shards;
};
class BlockStoreMetadataTest : public BlockStoreTest, public ::testing::WithParamInterface<Metadata> {};
INSTANTIATE_TEST_SUITE_P(Policies, BlockStoreMetadataTest,
                         ::testing::Values(Metadata{"lru", 1}, Metadata{"auto", 1}, Metadata{"auto", 4}),
                         [](const auto& one) {
                           return one.param.eviction + std::string("Of") + std::to_string(one.param.shards);
                         });

TEST_P(BlockStoreMetadataTest, ABlockTakesLessThan256BytesBesideItsRecord) {
  Open(512 << 20, GetParam().eviction, GetParam().shards);
  constexpr uint64_t kBlocks = 150'000;
  const uint64_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (uint64_t i = 0; i < kBlocks; ++i) Store(i, static_cast<uint32_t>(i % 1'000 * 64));
  const uint64_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  ASSERT_EQ(store_->gauges().blocks_in_ram, kBlocks);
  const uint64_t measured = after - before;
  std::printf("metadata per block: %.1f bytes by the allocator, %.1f by the gauge\n",
              static_cast<double>(measured) / kBlocks, static_cast<double>(store_->gauges().metadata_bytes) / kBlocks);
  EXPECT_LE(measured, 256 * kBlocks);
  EXPECT_GE(measured, store_->gauges().metadata_bytes * 9 / 10);
  EXPECT_LE(measured, store_->gauges().metadata_bytes * 11 / 10);
}
#endif

}  // namespace
}  // namespace incipit
