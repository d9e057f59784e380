#include "cluster/warming/peer_routes.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
using Failure = PeerRoutes::Failure;

class PeerRoutesTest : public ::testing::Test {
 protected:
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  PeerSettings settings_{.failures_to_hold_back = 3, .hold_back_ms = 1000, .lane_retry_ms = 10'000};
  PeerRoutes routes_{{"ucx://n", "tcp://n"}, settings_, random_.get()};
};

TEST_F(PeerRoutesTest, TheFirstIsTakenWhileItWorks) {
  EXPECT_EQ(routes_.AddressOf(routes_.Next(0)), "ucx://n");
  EXPECT_EQ(routes_.Next(0, 1), 1u);
  EXPECT_FALSE(routes_.IsLast(0));
  EXPECT_TRUE(routes_.IsLast(1));
  EXPECT_EQ(routes_.ToString(), "ucx://n,tcp://n");
}

TEST_F(PeerRoutesTest, ARefusalLeavesItAtOnceAndItGetsOneTryNowAndThen) {
  EXPECT_TRUE(routes_.OnFailure(0, Failure::kRefused, 0));
  EXPECT_FALSE(routes_.OnFailure(0, Failure::kRefused, 0)) << "it was left already";
  EXPECT_EQ(routes_.Next(0), 1u);
  EXPECT_EQ(routes_.Next(5 * kSecondNs - 1), 1u) << "half of the time at least";
  EXPECT_EQ(routes_.Next(10 * kSecondNs), 0u) << "all of it at most";
  EXPECT_EQ(routes_.Next(10 * kSecondNs), 1u) << "one connection tries";
  EXPECT_EQ(routes_.Next(20 * kSecondNs), 0u);
  EXPECT_TRUE(routes_.OnConnected(0));
  EXPECT_EQ(routes_.Next(20 * kSecondNs), 0u);
  EXPECT_EQ(routes_.Next(20 * kSecondNs), 0u);
}

TEST_F(PeerRoutesTest, WithoutAnAnswerItRestsAndIsLeftAfterAFewTimesInARow) {
  for (int64_t at_ns : {0L, kSecondNs}) {
    EXPECT_FALSE(routes_.OnFailure(0, Failure::kNoAnswer, at_ns));
    EXPECT_EQ(routes_.Next(at_ns + kSecondNs - 1), 1u);
    EXPECT_EQ(routes_.Next(at_ns + kSecondNs), 0u);
    EXPECT_EQ(routes_.Next(at_ns + kSecondNs), 0u) << "by any number of connections";
  }
  EXPECT_TRUE(routes_.OnFailure(0, Failure::kNoAnswer, 2 * kSecondNs));
  EXPECT_EQ(routes_.Next(3 * kSecondNs), 1u);
}

TEST_F(PeerRoutesTest, BrokenConnectionsLeaveItAfterAFewInARow) {
  EXPECT_FALSE(routes_.OnFailure(0, Failure::kBroke, 0));
  EXPECT_FALSE(routes_.OnFailure(0, Failure::kBroke, 0));
  routes_.OnReply(0);
  EXPECT_FALSE(routes_.OnFailure(0, Failure::kBroke, 0));
  EXPECT_FALSE(routes_.OnFailure(0, Failure::kBroke, 0));
  EXPECT_EQ(routes_.Next(0), 0u);
  EXPECT_TRUE(routes_.OnFailure(0, Failure::kBroke, 0));
  EXPECT_EQ(routes_.Next(0), 1u);
}

TEST_F(PeerRoutesTest, AConnectionAloneDoesNotForgiveItAll) {
  EXPECT_TRUE(routes_.OnFailure(0, Failure::kRefused, 0));
  EXPECT_EQ(routes_.Next(10 * kSecondNs), 0u);
  EXPECT_TRUE(routes_.OnConnected(0));
  EXPECT_TRUE(routes_.OnFailure(0, Failure::kBroke, 10 * kSecondNs)) << "it connects, and carries nothing";
  EXPECT_EQ(routes_.Next(10 * kSecondNs), 1u);
}

TEST_F(PeerRoutesTest, TheLastIsNeverLeft) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(routes_.OnFailure(1, Failure::kRefused, 0));
  EXPECT_EQ(routes_.Next(0, 1), 1u);
  PeerRoutes only({"tcp://n"}, settings_, random_.get());
  EXPECT_FALSE(only.OnFailure(0, Failure::kRefused, 0));
  EXPECT_EQ(only.Next(0), 0u);
}

}  // namespace
}  // namespace incipit
