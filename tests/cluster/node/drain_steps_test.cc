#include "cluster/node/drain_steps.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/cluster_maps.h"

namespace incipit {
namespace {

constexpr uint64_t kNode = 1;
constexpr int64_t kStartMs = 1'000'000, kTimeoutMs = 60'000;

ClusterMap MapWith(NodeState state) {
  ClusterMap map = testing::SampleClusterMap();
  map.nodes[0].state = state;
  return map;
}

class DrainStepsTest : public ::testing::Test {
 protected:
  DrainStep Next(bool moved = false, bool cancelled = false) {
    return steps_.Next(map_.has_value() ? &*map_ : nullptr, moved, cancelled, now_ms_);
  }

  DrainSteps steps_{kNode, kStartMs, kTimeoutMs};
  std::optional<ClusterMap> map_ = MapWith(NodeState::kServing);
  int64_t now_ms_ = kStartMs;
};

TEST_F(DrainStepsTest, MovesOnceTheMapSaysSoAndLeavesWhenAllIsGiven) {
  EXPECT_EQ(Next(), DrainStep::kWait);
  map_ = MapWith(NodeState::kDraining);
  EXPECT_EQ(Next(), DrainStep::kBeginMoving);
  EXPECT_TRUE(steps_.moving());
  EXPECT_EQ(Next(), DrainStep::kWait);
  EXPECT_EQ(Next(/*moved=*/true), DrainStep::kLeave);
  EXPECT_FALSE(steps_.timed_out());
}

TEST_F(DrainStepsTest, LeavesAtTheTimeoutWhateverIsLeft) {
  map_ = MapWith(NodeState::kDraining);
  EXPECT_EQ(Next(), DrainStep::kBeginMoving);
  now_ms_ = kStartMs + kTimeoutMs - 1;
  EXPECT_EQ(Next(), DrainStep::kWait);
  now_ms_ = kStartMs + kTimeoutMs;
  EXPECT_EQ(Next(), DrainStep::kLeave);
  EXPECT_TRUE(steps_.timed_out());
}

TEST_F(DrainStepsTest, ServesOnIfTheMapDoesNotSaySoInTime) {
  now_ms_ = kStartMs + DrainSteps::kStatePatienceMs - 1;
  EXPECT_EQ(Next(/*moved=*/true), DrainStep::kWait);  // nothing was begun, so nothing is done
  now_ms_ = kStartMs + DrainSteps::kStatePatienceMs;
  EXPECT_EQ(Next(), DrainStep::kServeAgain);
  EXPECT_FALSE(steps_.moving());
}

TEST_F(DrainStepsTest, AShortTimeoutEndsTheWaitForTheMapToo) {
  DrainSteps brief(kNode, kStartMs, 500);
  EXPECT_EQ(brief.Next(&*map_, false, false, kStartMs + 499), DrainStep::kWait);
  EXPECT_EQ(brief.Next(&*map_, false, false, kStartMs + 500), DrainStep::kServeAgain);
}

TEST_F(DrainStepsTest, WithoutAMapOrWithoutTheNodeInItNothingBegins) {
  map_.reset();
  EXPECT_EQ(Next(), DrainStep::kWait);
  map_ = MapWith(NodeState::kDraining);
  map_->nodes.erase(map_->nodes.begin());
  EXPECT_EQ(Next(), DrainStep::kWait);
}

TEST_F(DrainStepsTest, ACancelledDrainServesAgainWhereverItIs) {
  EXPECT_EQ(Next(false, /*cancelled=*/true), DrainStep::kServeAgain);
  map_ = MapWith(NodeState::kDraining);
  EXPECT_EQ(Next(), DrainStep::kBeginMoving);
  EXPECT_EQ(Next(/*moved=*/true, /*cancelled=*/true), DrainStep::kServeAgain);
  EXPECT_FALSE(steps_.timed_out());
}

}  // namespace
}  // namespace incipit
