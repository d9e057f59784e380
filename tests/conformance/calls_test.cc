// What every lane must do when nothing goes wrong: the same calls, the same results.
#include "tests/conformance/conformance_test_base.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

class LaneCalls : public ConformanceTest {};
INCIPIT_ON_EVERY_LANE(LaneCalls);

TEST_P(LaneCalls, StoredBlocksAreMatchedAndLoaded) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 40);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Match(client, blocks), Each(Presence::kRam));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
  const ClientCounters& counters = client->core->counters();
  EXPECT_EQ(counters.bytes_loaded, 40 * group().BlockBytes());
  EXPECT_EQ(counters.protocol_errors, 0u);
  EXPECT_EQ(counters.shared_loads > 0, lane_->shares_memory());
  EXPECT_EQ(counters.shared_stores > 0, lane_->shares_memory());
  ExpectNothingLeaked();
}

TEST_P(LaneCalls, NothingStoredGivesMissesOnly) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 5);
  EXPECT_THAT(Match(client, blocks), Each(Presence::kMiss));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kMiss));
  EXPECT_THAT(Load(client, {}), ElementsAre());
}

TEST_P(LaneCalls, HitsAndMissesKeepTheirPlaces) {
  StartNode();
  TestClient* client = Connect();
  const Blocks first = MakeBlocks(0, 1), third = MakeBlocks(2, 1), fifth = MakeBlocks(4, 1);
  for (const Blocks& blocks : {first, third, fifth}) EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, MakeBlocks(0, 6)), ElementsAre(BlockStatus::kOk, BlockStatus::kMiss, BlockStatus::kOk,
                                                          BlockStatus::kMiss, BlockStatus::kOk, BlockStatus::kMiss));
}

TEST_P(LaneCalls, StoringAgainKeepsTheFirstBytes) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 3), others = MakeBlocks(0, 3, /*version=*/9);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kPresent));
  EXPECT_THAT(Store(client, blocks, /*offer_first=*/false), Each(BlockStatus::kPresent));
  EXPECT_THAT(Store(client, others, /*offer_first=*/false), Each(BlockStatus::kConflict));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
  ExpectNothingLeaked();
}

// What is wanted, what is here and what does not fit come in one message, in any order.
TEST_P(LaneCalls, WantedAndUnwantedBlocksOfOneStoreDoNotMix) {
  StartNode();
  TestClient* client = Connect();
  EXPECT_THAT(Store(client, MakeBlocks(1, 1)), Each(BlockStatus::kOk));
  EXPECT_THAT(Store(client, MakeBlocks(3, 2)), Each(BlockStatus::kOk));
  const Blocks all = MakeBlocks(0, 7);
  EXPECT_THAT(Store(client, all, /*offer_first=*/false),
              ElementsAre(BlockStatus::kOk, BlockStatus::kPresent, BlockStatus::kOk, BlockStatus::kPresent,
                          BlockStatus::kPresent, BlockStatus::kOk, BlockStatus::kOk));
  EXPECT_THAT(Load(client, all), Each(BlockStatus::kOk));
}

TEST_P(LaneCalls, EveryRangeOfLayersBringsItsOwnBytes) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 2);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  const auto layers = static_cast<uint16_t>(group().SegmentCount());
  for (uint16_t first = 0; first < layers; ++first) {
    for (uint16_t count = 1; count <= layers - first; ++count) {
      const uint64_t begin = first * group().SegmentBytes(), bytes = count * group().SegmentBytes();
      LoadRequest request = LoadOf(blocks);
      request.first_segment = first;
      request.segment_count = first + count == layers ? wire::kAllSegments : count;
      for (size_t i = 0; i < request.items.size(); ++i) {
        std::fill(blocks.buffers[i].begin(), blocks.buffers[i].end(), uint8_t{0xee});
        request.items[i].buffer.iov_len = bytes;
      }
      const auto result = lane_->Run(client->core->Load(std::move(request)));
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->hits, 2u) << "layers " << first << " + " << count;
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(std::ranges::equal(blocks.buffers[i].first(bytes), blocks.payloads[i].subspan(begin, bytes)));
        const MutableBytes behind = blocks.buffers[i].subspan(bytes);
        EXPECT_TRUE(std::ranges::all_of(behind, [](uint8_t byte) { return byte == 0xee; })) << "written too far";
      }
    }
  }
}

TEST_P(LaneCalls, BlocksOfManySmallSegments) {
  layout_ = testing::SmallLayout(/*layers=*/1024, /*bytes_per_entry=*/3, /*block_tokens=*/17);
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 30);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
}

TEST_P(LaneCalls, BlocksOfOneLargeSegment) {
  layout_ = testing::SmallLayout(/*layers=*/1, /*bytes_per_entry=*/128 << 10, /*block_tokens=*/64);  // 8 MiB
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 2);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
}

TEST_P(LaneCalls, ScatteredMemoryIsFilledPieceByPiece) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 3);
  // Pieces of odd sizes, backwards in one piece of memory.
  const uint64_t bytes = group().BlockBytes();
  std::vector<std::vector<iovec>> stored(3), loaded(3);
  StoreRequest store;
  LoadRequest load;
  for (size_t i = 0; i < 3; ++i) {
    const MutableBytes from = lane_->Allocate(bytes), into = lane_->Allocate(bytes);
    uint64_t at = bytes, done = 0;
    for (uint64_t step = 1; at > 0; step = step * 3 + 1) {
      const uint64_t take = std::min(step, at);
      at -= take;
      std::copy_n(blocks.payloads[i].begin() + static_cast<int64_t>(done), take,
                  from.begin() + static_cast<int64_t>(at));
      stored[i].push_back({from.data() + at, take});
      loaded[i].push_back({into.data() + at, take});
      done += take;
    }
    store.items.push_back({.key = blocks.keys[i], .pieces = stored[i]});
    load.items.push_back({.key = blocks.keys[i], .pieces = loaded[i]});
  }
  const auto stored_result = lane_->Run(client->core->Store(std::move(store)));
  ASSERT_TRUE(stored_result.ok());
  EXPECT_THAT(stored_result->status, Each(BlockStatus::kOk));
  const auto result = lane_->Run(client->core->Load(std::move(load)));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->hits, 3u);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t p = 0; p < stored[i].size(); ++p) {
      EXPECT_EQ(std::memcmp(stored[i][p].iov_base, loaded[i][p].iov_base, stored[i][p].iov_len), 0);
    }
  }
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
}

TEST_P(LaneCalls, BlocksComeFromBothTiers) {
  options_.store.ram_bytes = 8 << 20;
  StartNode(/*nvme_bytes=*/40 << 20);
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 64);  // 16 MiB
  for (int tries = 0; tries < 100; ++tries) {
    const auto stored = Store(client, blocks);
    if (std::ranges::all_of(stored,
                            [](BlockStatus s) { return s == BlockStatus::kOk || s == BlockStatus::kPresent; })) {
      break;
    }
    lane_->RunFor(5'000'000);
  }
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
  const ShardReport report = node_.shard()->Report();
  EXPECT_GT(report.requests.load_hits_ram, 0u);
  EXPECT_GT(report.requests.load_hits_nvme, 0u);
}

TEST_P(LaneCalls, RemovedBlocksAreMissesAndLeasesEnd) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 4);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  {
    MatchRequest request{.lease_ms = 60'000};
    std::vector<BlockKey> keys;
    for (const auto& key : blocks.keys) keys.emplace_back(key);
    request.groups = {KeyList(keys)};
    const auto match = lane_->Run(client->core->Match(std::move(request)));
    ASSERT_TRUE(match.ok());
    EXPECT_TRUE(match->lease.held());
    EXPECT_GT(node_.shard()->Report().pinned_bytes, 0u);
  }
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().pinned_bytes == 0; }));
  RemoveRequest remove;
  for (const auto& key : blocks.keys) remove.blocks.push_back({.key = key});
  EXPECT_THAT(lane_->Run(client->core->Remove(std::move(remove)))->status, Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kMiss));
  EXPECT_EQ(lane_->Run(client->core->Stats())->size(), 1u);
  ExpectNothingLeaked();
}

TEST_P(LaneCalls, TenantsDoNotSeeEachOther) {
  StartNode();
  TestClient* one = Connect("one");
  TestClient* other = Connect("other");
  const Blocks blocks = MakeBlocks(0, 4), others = MakeBlocks(0, 4, /*version=*/5);
  EXPECT_THAT(Store(one, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(other, blocks), Each(BlockStatus::kMiss));
  EXPECT_THAT(Store(other, others), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(one, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(other, others), Each(BlockStatus::kOk));
}

Task<void> LoadInto(ClientCore* core, LoadRequest request, absl::StatusOr<LoadResult>* out) {
  Task<absl::StatusOr<LoadResult>> loading = core->Load(std::move(request));
  *out = co_await loading;
}

TEST_P(LaneCalls, ManyLoadsAtOnceOfManyClients) {
  options_.limits.max_loads = 6;
  options_.limits.max_loads_per_session = 2;
  StartNode();
  const Blocks blocks = MakeBlocks(0, 8);
  EXPECT_THAT(Store(Connect(), blocks), Each(BlockStatus::kOk));
  std::vector<Blocks> mine;
  std::vector<absl::StatusOr<LoadResult>> results(24);
  TaskScope scope(lane_->loop());
  for (size_t i = 0; i < results.size(); ++i) mine.push_back(MakeBlocks(0, 8));
  for (size_t c = 0; c < 4; ++c) {
    TestClient* client = Connect();
    for (size_t i = 0; i < 6; ++i) {
      scope.Spawn(LoadInto(client->core.get(), LoadOf(mine[c * 6 + i]), &results[c * 6 + i]));
    }
  }
  const auto join = [](TaskScope* all) -> Task<void> { co_await all->Join(); };
  lane_->Run(join(&scope));
  uint64_t hits = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].ok()) << results[i].status();
    for (size_t b = 0; b < 8; ++b) {
      if (results[i]->status[b] == BlockStatus::kOk) {
        ++hits;
        EXPECT_TRUE(std::ranges::equal(mine[i].buffers[b], blocks.payloads[b]));
      } else {
        EXPECT_EQ(results[i]->status[b], BlockStatus::kBusy);
      }
    }
  }
  EXPECT_GT(hits, 0u);
  ExpectNothingLeaked();
}

}  // namespace
}  // namespace incipit::conformance
