// A node gives its blocks to their next owners: in virtual time, with faults.
#include "cluster/warming/block_mover.h"

#include "cluster/warming/move_board.h"
#include "tests/cluster/warming/warm_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;

class BlockMoverTest : public testing::WarmFixture {
 protected:
  static constexpr NodeState kServing = NodeState::kServing;
  // Three nodes; node 1 has `count` blocks, stored one after the other, the later ones used last. Then it drains.
  void DrainAfterStores(uint64_t count, const std::vector<uint64_t>& others = {2, 3}) {
    AddNode(1);
    States before = {{1, kServing}};
    for (const uint64_t id : others) {
      AddNode(id);
      before.emplace_back(id, kServing);
    }
    TellAll(before);
    std::vector<uint64_t> all = others;
    all.insert(all.begin(), 1);
    keys_ = KeysOf(1, all, 10 * count);
    ASSERT_GE(keys_.size(), count);
    keys_.resize(count);
    const auto client = ClientOf(1);
    for (const auto& key : keys_) {
      loop_.RunUntil(loop_.NowNs() + kSecondNs);
      std::vector<uint8_t> payload;
      const std::vector<std::vector<uint8_t>> one = {key};
      wire::Store store = StoreOf(one, &payload);
      store.stamp_ns = static_cast<uint64_t>(loop_.WallNs());
      ASSERT_TRUE(client->Call(wire::FrameType::kStore, store, payload).ok());
    }
    before[0].second = NodeState::kDraining;
    TellAll(before);
  }
  std::shared_ptr<MoveBoard> Begin(uint64_t bytes_per_s = 0) {
    auto board = std::make_shared<MoveBoard>();
    members_[1].warmers[0]->BeginMoving({.bytes_per_s = bytes_per_s}, board);
    return board;
  }
  bool RunUntilDone(const MoveBoard& board, int64_t seconds) {
    const int64_t until_ns = loop_.NowNs() + seconds * kSecondNs;
    while (!board.done && loop_.NowNs() < until_ns) loop_.RunUntil(loop_.NowNs() + kSecondNs / 100);
    return board.done;
  }
  size_t BlocksAt(uint64_t id) { return members_[id].node->shard(0)->store()->gauges().blocks; }
  uint64_t BlockBytes() const { return layout_.groups[0].BlockBytes(); }
  std::vector<std::vector<uint8_t>> keys_;
};

TEST_F(BlockMoverTest, EveryBlockComesToItsNextOwner) {
  DrainAfterStores(100);
  const auto board = Begin();
  ASSERT_TRUE(RunUntilDone(*board, 60));
  const wire::DrainProgress progress = board->Read();
  EXPECT_EQ(progress.total, (wire::DrainCount{100, 100 * BlockBytes()}));
  EXPECT_EQ(progress.moved, progress.total);
  network_.Kill(AddressOf(1));
  for (const uint64_t id : {2, 3}) {
    const auto keys = Owned(id, {2, 3}, keys_);
    EXPECT_EQ(BlocksAt(id), keys.size());
    EXPECT_EQ(LoadAt(ClientOf(id).get(), keys), keys.size());
  }
}

TEST_F(BlockMoverTest, WhatIsThereAlreadyIsNotSent) {
  DrainAfterStores(40);
  const auto of_two = Owned(2, {2, 3}, keys_);
  EXPECT_EQ(LoadAt(ClientOf(2).get(), of_two), of_two.size());  // taken over by a reader
  const auto board = Begin();
  ASSERT_TRUE(RunUntilDone(*board, 60));
  EXPECT_EQ(board->Read().present.blocks, of_two.size());
  EXPECT_EQ(board->Read().moved.blocks, 40 - of_two.size());
}

TEST_F(BlockMoverTest, TheMostValuedGoFirstAndTheLimitOfBytesIsKept) {
  DrainAfterStores(100, {2});
  const int64_t begin_ns = loop_.NowNs();
  const auto board = Begin(/*bytes_per_s=*/10 * BlockBytes());
  while (board->Read().moved.blocks < 50) loop_.RunUntil(loop_.NowNs() + kSecondNs / 100);
  EXPECT_GE(loop_.NowNs() - begin_ns, 4 * kSecondNs);
  members_[1].warmers[0]->EndMoving(false);
  ASSERT_TRUE(RunUntilDone(*board, 60));
  network_.Kill(AddressOf(1));
  const size_t moved = board->Read().moved.blocks;
  EXPECT_LT(moved, 70u);
  // Those that were stored last, without a gap but for what was under way.
  const std::vector<std::vector<uint8_t>> last(keys_.end() - static_cast<ptrdiff_t>(moved), keys_.end());
  EXPECT_GE(LoadAt(ClientOf(2).get(), last) + 8, moved);
}

TEST_F(BlockMoverTest, WhileItDrainsTheNodeTakesNoStores) {
  DrainAfterStores(10);
  const auto board = Begin();
  const auto client = ClientOf(1);
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(90'000)})[0], wire::BlockStatus::kBusy);
  EXPECT_EQ(StoreBlocks(client.get(), {keys_[0]})[0], wire::BlockStatus::kPresent);
  EXPECT_EQ(LoadAt(client.get(), {keys_[0]}), 1u);
  ASSERT_TRUE(RunUntilDone(*board, 60));
  members_[1].warmers[0]->EndMoving(true);
  EXPECT_EQ(StoreBlocks(client.get(), {KeyOf(90'000)})[0], wire::BlockStatus::kOk);
}

TEST_F(BlockMoverTest, AnOwnerThatIsAwayForAWhileIsTriedAgain) {
  DrainAfterStores(60);
  network_.Partition(AddressOf(1), AddressOf(3), true);
  const auto board = Begin();
  loop_.RunUntil(loop_.NowNs() + kSecondNs);
  EXPECT_FALSE(board->done);
  network_.Partition(AddressOf(1), AddressOf(3), false);
  ASSERT_TRUE(RunUntilDone(*board, 120));
  EXPECT_EQ(board->Read().moved.blocks, 60u);
}

TEST_F(BlockMoverTest, AnOwnerThatIsGoneIsReplacedByTheNextMap) {
  DrainAfterStores(60);
  network_.Kill(AddressOf(3));
  const auto board = Begin();
  loop_.RunUntil(loop_.NowNs() + kSecondNs);
  TellAll({{1, NodeState::kDraining}, {2, kServing}, {3, NodeState::kGone}});
  ASSERT_TRUE(RunUntilDone(*board, 120));
  EXPECT_EQ(BlocksAt(2), 60u);
}

TEST_F(BlockMoverTest, WithoutAnOwnerThatAnswersItEndsAllTheSame) {
  DrainAfterStores(20, {2});
  network_.Kill(AddressOf(2));
  const auto board = Begin();
  ASSERT_TRUE(RunUntilDone(*board, 600));
  EXPECT_EQ(board->Read().lost.blocks, 20u);
  EXPECT_EQ(board->Read().moved.blocks, 0u);
}

TEST_F(BlockMoverTest, WhatIsWorthLessThanWhatIsThereIsNotTaken) {
  options_.store.ram_bytes = 4 << 20;
  DrainAfterStores(100, {2});
  // Node 2 is full of blocks that were used later than all of node 1's.
  const auto client = ClientOf(2);
  loop_.RunUntil(loop_.NowNs() + 100 * kSecondNs);
  for (uint64_t i = 50'000; i < 52'000; ++i) StoreBlocks(client.get(), {KeyOf(i)});
  ASSERT_GT(members_[2].node->shard(0)->store()->counters().evicted_from_ram, 0u);
  const auto board = Begin();
  ASSERT_TRUE(RunUntilDone(*board, 60));
  EXPECT_EQ(board->Read().unwanted.blocks, 100u);
}

TEST_F(BlockMoverTest, AKilledNodeLosesOnlyWhatItHadNotGiven) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    for (auto& [id, member] : members_) member.node->Stop();
    members_.clear();
    keys_.clear();
    DrainAfterStores(80);
    const auto board = Begin(/*bytes_per_s=*/40 * BlockBytes());
    loop_.RunUntil(loop_.NowNs() + static_cast<int64_t>(seed) * kSecondNs / 4);
    network_.Kill(AddressOf(1));
    const size_t moved = board->Read().moved.blocks;
    EXPECT_GE(BlocksAt(2) + BlocksAt(3), moved);
    EXPECT_LT(moved, 80u);
    size_t loaded = 0;
    for (const uint64_t id : {2, 3}) loaded += LoadAt(ClientOf(id).get(), Owned(id, {2, 3}, keys_));
    EXPECT_EQ(loaded, BlocksAt(2) + BlocksAt(3));
  }
}

}  // namespace
}  // namespace incipit
