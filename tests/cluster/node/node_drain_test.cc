// A drain against a cluster that is only played: what it tells whom, and when.
#include "cluster/node/node_drain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::DrainAction;
using wire::DrainState;

constexpr uint32_t kLongMs = 60'000;

class NodeDrainTest : public ::testing::Test {
 protected:
  NodeDrainTest() {
    map_ = std::make_shared<const ClusterMap>(testing::SampleClusterMap());
    DrainHooks hooks;
    hooks.map = [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      return map_;
    };
    hooks.set_state = [this](NodeState state) {
      Note(NodeStateName(state));
      if (obeys_) SetOwnState(state);
    };
    hooks.begin_moving = [this](uint64_t bytes_per_s) {
      Note("begin " + std::to_string(bytes_per_s));
      return boards_;
    };
    hooks.end_moving = [this](bool takes_stores) { Note(takes_stores ? "end, takes" : "end"); };
    hooks.leave = [this] { Note("leave"); };
    hooks.exit = [this] { Note("exit"); };
    drain_ = std::make_unique<NodeDrain>(1, std::move(hooks));
  }
  void Note(const std::string& what) {
    const std::lock_guard<std::mutex> lock(mutex_);
    notes_.push_back(what);
  }
  std::vector<std::string> Notes() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return notes_;
  }
  void SetOwnState(NodeState state) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ClusterMap map = *map_;
    map.nodes[0].state = state;
    map_ = std::make_shared<const ClusterMap>(map);
  }
  wire::DrainReply Await(DrainState state) {
    for (int i = 0; i < 6000; ++i) {
      const wire::DrainReply reply = drain_->Report();
      if (reply.state == state) return reply;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "still " << wire::DrainStateName(drain_->Report().state) << " after a minute";
    return {};
  }
  void AwaitNotes(size_t count) {
    for (int i = 0; i < 6000 && Notes().size() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  std::mutex mutex_;
  std::shared_ptr<const ClusterMap> map_;
  std::vector<std::string> notes_;
  std::atomic<bool> obeys_ = true;
  std::vector<std::shared_ptr<MoveBoard>> boards_ = {std::make_shared<MoveBoard>(), std::make_shared<MoveBoard>()};
  std::unique_ptr<NodeDrain> drain_;
};

TEST_F(NodeDrainTest, ANodeLeavesWhenAllShardsAreDone) {
  const auto begun = drain_->Drain({DrainAction::kBegin, false, kLongMs, 99});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->state, DrainState::kMoving);
  AwaitNotes(2);
  boards_[0]->total.Add(100);
  boards_[1]->total.Add(10);
  boards_[0]->moved.Add(100);
  boards_[1]->lost.Add(10);
  boards_[0]->done = true;
  EXPECT_EQ(drain_->Report().state, DrainState::kMoving);
  boards_[1]->done = true;
  const wire::DrainReply left = Await(DrainState::kLeft);
  EXPECT_FALSE(left.timed_out);
  EXPECT_EQ(left.progress.total, (wire::DrainCount{2, 110}));
  EXPECT_EQ(left.progress.moved, (wire::DrainCount{1, 100}));
  EXPECT_EQ(left.progress.lost, (wire::DrainCount{1, 10}));
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 99", "end", "leave"));
  EXPECT_EQ(drain_->Drain({DrainAction::kBegin, false, 1, 0})->state, DrainState::kLeft);  // it has left
}

TEST_F(NodeDrainTest, AtItsTimeoutItLeavesWithWhatItHas) {
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, 100, 0}).ok());
  EXPECT_TRUE(Await(DrainState::kLeft).timed_out);
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 0", "end", "leave"));
}

TEST_F(NodeDrainTest, ItsProcessEndsIfThatWasAskedFor) {
  for (const auto& board : boards_) board->done = true;
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, true, kLongMs, 0}).ok());
  AwaitNotes(5);
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 0", "end", "leave", "exit"));
}

TEST_F(NodeDrainTest, CancelledItServesAgainAndMayBeginAnew) {
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, kLongMs, 0}).ok());
  AwaitNotes(2);
  ASSERT_TRUE(drain_->Drain({DrainAction::kCancel}).ok());
  Await(DrainState::kCancelled);
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 0", "end, takes", "serving"));
  for (const auto& board : boards_) board->done = true;
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, kLongMs, 0}).ok());
  Await(DrainState::kLeft);
}

TEST_F(NodeDrainTest, BegunTwiceItIsOne) {
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, kLongMs, 0}).ok());
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, true, 1, 5}).ok());
  AwaitNotes(2);
  for (const auto& board : boards_) board->done = true;
  Await(DrainState::kLeft);
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 0", "end", "leave"));
}

TEST_F(NodeDrainTest, WithoutWordFromTheMapNothingIsGivenAway) {
  obeys_ = false;  // nobody hears that the node drains
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, 200, 0}).ok());
  EXPECT_THAT(Await(DrainState::kFailed).message, HasSubstr("Redis"));
  EXPECT_THAT(Notes(), ElementsAre("draining", "serving"));
}

TEST_F(NodeDrainTest, WhoCannotBeDrainedIsTold) {
  const auto refused = [&] { return drain_->Drain({DrainAction::kBegin, false, 1, 0}).status(); };
  ClusterMap alone = *map_;
  alone.nodes = {alone.nodes[0], alone.nodes[1]};  // the other one is draining itself
  map_ = std::make_shared<const ClusterMap>(alone);
  EXPECT_THAT(refused().message(), HasSubstr("no other node serves"));
  map_ = nullptr;
  EXPECT_TRUE(absl::IsFailedPrecondition(refused()));
  drain_->Stop();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused()));
  EXPECT_TRUE(Notes().empty());
}

TEST_F(NodeDrainTest, StoppedItTellsNobody) {
  ASSERT_TRUE(drain_->Drain({DrainAction::kBegin, false, kLongMs, 0}).ok());
  AwaitNotes(2);
  drain_->Stop();
  EXPECT_THAT(Notes(), ElementsAre("draining", "begin 0"));
}

}  // namespace
}  // namespace incipit
