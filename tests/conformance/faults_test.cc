// What every lane must do when connections break, stall or end: a miss is always legal, a wrong byte never.
#include "tests/conformance/conformance_test_base.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;

// Where in the stream the fault happens: inside a header, inside a meta, inside a payload, behind all of it.
constexpr uint64_t kPlaces[] = {0, 1, 47, 48, 60, 100, 500, 1500, 70'000, 300'000, 2'000'000, 5'000'000};

class LaneFaults : public ConformanceTest {
 protected:
  void ExpectAllLoadsAgain(TestClient* client, const Blocks& blocks) {
    client->faults().Set(StreamFaults::kNone, 0);
    const bool all = lane_->RunUntil([&] {
      const std::vector<BlockStatus> status = Load(client, blocks);
      return std::ranges::all_of(status, [](BlockStatus of) { return of == BlockStatus::kOk; });
    });
    EXPECT_TRUE(all) << "the connection did not come back";
  }
};
INCIPIT_ON_EVERY_LANE(LaneFaults);

TEST_P(LaneFaults, ConnectionCutInsideALoad) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 24);  // 6 MiB
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  for (const uint64_t place : kPlaces) {
    client->faults().Set(StreamFaults::kCutReads, place);
    Load(client, blocks, 2000);
    ExpectAllLoadsAgain(client, blocks);
  }
  EXPECT_GE(client->faults().cuts, 7u);
  EXPECT_EQ(client->core->counters().damaged_segments, 0u);
  ExpectNothingLeaked();
}

TEST_P(LaneFaults, ConnectionCutInsideAStoreLeavesNoPartialBlock) {
  StartNode();
  TestClient* client = Connect();
  TestClient* witness = Connect();
  uint64_t first = 0;
  for (const uint64_t place : kPlaces) {
    const Blocks blocks = MakeBlocks(first, 12);
    first += blocks.keys.size();
    client->faults().Set(StreamFaults::kCutWrites, place);
    const std::vector<BlockStatus> stored = Store(client, blocks, /*offer_first=*/false, 2000);
    client->faults().Set(StreamFaults::kNone, 0);
    const std::vector<BlockStatus> loaded = Load(witness, blocks);  // A hit has the right bytes, or the test fails.
    for (size_t i = 0; i < loaded.size(); ++i) {
      EXPECT_TRUE(loaded[i] == BlockStatus::kOk || loaded[i] == BlockStatus::kMiss);
      if (stored[i] == BlockStatus::kOk || stored[i] == BlockStatus::kPresent) {
        EXPECT_EQ(loaded[i], BlockStatus::kOk) << "said to be stored, cut after " << place;
      }
    }
  }
  EXPECT_GE(client->faults().cuts, 6u);
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions <= 2; }));
  ExpectNothingLeaked();
}

TEST_P(LaneFaults, StalledLoadEndsAtItsDeadlineAndNothingIsWrittenLater) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 24);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  for (const uint64_t place : {0, 40, 100, 1500, 100'000, 3'000'000}) {
    client->faults().Set(StreamFaults::kStallReads, place);
    const int64_t before_ns = lane_->loop()->NowNs();
    Load(client, blocks, 30);
    EXPECT_LT(lane_->loop()->NowNs() - before_ns, 5'000'000'000) << "far beyond the deadline";
    // The caller uses its memory for something else. What comes now comes too late.
    for (const MutableBytes buffer : blocks.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0x11});
    lane_->RunFor(20'000'000);
    client->faults().Set(StreamFaults::kNone, 0);
    lane_->RunFor(20'000'000);
    for (const MutableBytes buffer : blocks.buffers) {
      EXPECT_TRUE(std::ranges::all_of(buffer, [](uint8_t byte) { return byte == 0x11; }))
          << "written after the call had ended, stalled after " << place;
    }
    ExpectAllLoadsAgain(client, blocks);
  }
  EXPECT_GE(client->faults().stalls, 1u);
}

TEST_P(LaneFaults, NodeThatEndsCostsHitsAndIsUsedAgainWhenItIsBack) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 8);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  node_.Stop();
  EXPECT_THAT(Load(client, blocks, 50), Each(BlockStatus::kExpired));
  StartNode();
  EXPECT_TRUE(lane_->RunUntil([&] {
    return std::ranges::all_of(Store(client, blocks),
                               [](BlockStatus of) { return of == BlockStatus::kOk || of == BlockStatus::kPresent; });
  }));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
}

TEST_P(LaneFaults, NodeThatEndsInTheMiddleOfLoads) {
  StartNode();
  TestClient* client = Connect();
  const Blocks blocks = MakeBlocks(0, 24);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  bool ended = false;
  TaskScope scope(lane_->loop());
  const auto load = [](ClientCore* core, LoadRequest request, bool* done) -> Task<void> {
    Task<absl::StatusOr<LoadResult>> loading = core->Load(std::move(request));
    const absl::StatusOr<LoadResult> result = co_await loading;
    EXPECT_TRUE(result.ok());
    *done = true;
  };
  scope.Spawn(load(client->core.get(), LoadOf(blocks, 500), &ended));
  for (int i = 0; i < 3; ++i) lane_->Step();
  node_.Stop();
  EXPECT_TRUE(lane_->RunUntil([&] { return ended; }));
  for (const MutableBytes buffer : blocks.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0x11});
  lane_->RunFor(20'000'000);
  for (const MutableBytes buffer : blocks.buffers) {
    EXPECT_TRUE(std::ranges::all_of(buffer, [](uint8_t byte) { return byte == 0x11; }));
  }
}

TEST_P(LaneFaults, ClientThatGoesAwayInTheMiddleOfALoadLeavesNothingHeld) {
  StartNode();
  const Blocks blocks = MakeBlocks(0, 24);
  EXPECT_THAT(Store(Connect(), blocks), Each(BlockStatus::kOk));
  for (int rounds = 1; rounds < 12; ++rounds) {
    TestClient* client = Connect();
    Match(client, blocks, /*lease_ms=*/600'000);
    bool ended = false;
    TaskScope scope(lane_->loop());
    const auto load = [](ClientCore* core, LoadRequest request, bool* done) -> Task<void> {
      Task<absl::StatusOr<LoadResult>> loading = core->Load(std::move(request));
      const absl::StatusOr<LoadResult> result = co_await loading;
      *done = true;
    };
    scope.Spawn(load(client->core.get(), LoadOf(blocks), &ended));
    for (int i = 0; i < rounds && !ended; ++i) lane_->Step();  // a loop with nothing to do would sleep
    lane_->Run(client->core->Stop());
    EXPECT_TRUE(lane_->RunUntil([&] { return ended; }));
    clients_.pop_back();
  }
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions == 1; }));
  ExpectNothingLeaked();
}

}  // namespace
}  // namespace incipit::conformance
