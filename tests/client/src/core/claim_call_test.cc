// Match with claim_ms, against real shards.
#include "client/src/core/claim_call.h"

#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"
#include "tests/client/src/core/flight_fixture.h"

namespace incipit {
namespace {

class ClaimCall : public FlightFixture {};

TEST_F(ClaimCall, TheFirstGetsAllThatIsMissingAndTheSecondNothing) {
  Start(20);
  const size_t one = AddClient(), two = AddClient();
  Store(one, 0, 5);
  const MatchResult first = Match(one);
  EXPECT_EQ(first.flight, Flight::kClaimed);
  EXPECT_TRUE(first.claim.held());
  EXPECT_EQ(first.claim_ms, 1000u);
  EXPECT_EQ(first.longest_tokens(), 80u);
  EXPECT_EQ(Claimed(), 15u);
  Pass(30);
  const MatchResult second = Match(two);
  EXPECT_EQ(second.flight, Flight::kComputing);
  EXPECT_FALSE(second.claim.held());
  EXPECT_GE(second.computing_ms, 30u);
  EXPECT_EQ(Granted(), 15u);
}

TEST_F(ClaimCall, NothingIsClaimedUnlessAskedForOrMissing) {
  Start(3);
  const size_t one = AddClient();
  EXPECT_EQ(Match(one, 0).flight, Flight::kNone);
  Store(one, 0, 3);
  const MatchResult whole = Match(one);
  EXPECT_EQ(whole.flight, Flight::kNone);
  EXPECT_EQ(whole.longest_tokens(), 48u);
  EXPECT_EQ(Granted(), 0u);
}

TEST_F(ClaimCall, AnOverlappingPromptWaitsForItsOpeningAndClaimsNothing) {
  Start(10);
  const size_t one = AddClient(), two = AddClient();
  const MatchResult first = Match(one);
  for (size_t i = 6; i < 10; ++i) keys_[i] = BlockKey(testing::KeyOf(100 + i));
  EXPECT_EQ(Match(two).flight, Flight::kComputing);
  EXPECT_EQ(Claimed(), 10u);
}

TEST_F(ClaimCall, ReleaseAndTheEndOfTheHandleFreeTheBlocks) {
  Start(8);
  const size_t one = AddClient(), two = AddClient();
  {
    const MatchResult first = Match(one);
    EXPECT_EQ(Claimed(), 8u);
  }
  Pass(5);
  EXPECT_EQ(Claimed(), 0u);
  MatchResult second = Match(two);
  EXPECT_EQ(second.flight, Flight::kClaimed);
  second.claim.Release();
  EXPECT_FALSE(second.claim.held());
  Pass(5);
  EXPECT_EQ(Claimed(), 0u);
  second.claim.Renew();
}

TEST_F(ClaimCall, RenewalKeepsAClaimAndSilenceLosesIt) {
  Start(8);
  const size_t one = AddClient();
  MatchResult first = Match(one, 200);
  for (int i = 0; i < 10; ++i) {
    Pass(100);
    first.claim.Renew();
  }
  EXPECT_EQ(Claimed(), 8u);
  Pass(250);
  EXPECT_EQ(Claimed(), 0u);
}

TEST_F(ClaimCall, ANodeAtItsLimitLeavesTheHeadUnclaimed) {
  ShardOptions options;
  options.limits.max_claimed_blocks = 0;
  Start(8, options);
  const MatchResult result = Match(AddClient());
  EXPECT_EQ(result.flight, Flight::kNone);
  EXPECT_FALSE(result.claim.held());
}

TEST(ClaimCallOldNode, ANodeWithoutTheFeatureIsNeverAsked) {
  ClientFixture f(1);
  f.ConnectAndWait();
  const std::vector<BlockKey> keys = f.Keys(1, 3);
  MatchRequest request;
  request.groups = {KeyList(keys)};
  request.claim_ms = 1000;
  const auto result = f.loop.Run(f.client->Match(std::move(request)));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->flight, Flight::kNone);
  EXPECT_TRUE(result->complete);
  EXPECT_EQ(f.node->requests.count(wire::FrameType::kClaim), 0u);
}

}  // namespace
}  // namespace incipit
