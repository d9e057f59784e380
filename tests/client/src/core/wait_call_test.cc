// Wait, against real shards.
#include "client/src/core/wait_call.h"

#include <gtest/gtest.h>

#include "tests/client/src/core/client_fixture.h"
#include "tests/client/src/core/flight_fixture.h"

namespace incipit {
namespace {

constexpr int64_t kMs = 1'000'000;

class WaitCall : public FlightFixture {
 protected:
  // Starts a Wait whose result is there once it has ended.
  void Begin(size_t client, WaitRequest request) {
    auto run = [](WaitCall* self, ClientCore* core, WaitRequest wait) -> Task<void> {
      Task<absl::StatusOr<MatchResult>> waiting = core->Wait(std::move(wait));
      self->result_ = co_await waiting;
      self->ended_ns_ = self->loop_.NowNs();
    };
    scope_.Spawn(run(this, clients_[client].get(), std::move(request)));
  }
  bool ended() const { return ended_ns_ != 0; }

  absl::StatusOr<MatchResult> result_;
  int64_t ended_ns_ = 0;
  TaskScope scope_{&loop_};
};

TEST_F(WaitCall, ProgressEndsItAndTheNextStaysBehindTheWriter) {
  Start(10);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer);
  Begin(waiter, WaitFor(0, 1000, 10'000));
  Pass(50);
  EXPECT_FALSE(ended());
  Store(writer, 0, 1);
  Pass(5);
  ASSERT_TRUE(ended());
  EXPECT_EQ(result_->longest_tokens(), 16u);
  EXPECT_EQ(result_->flight, Flight::kComputing);
  ended_ns_ = 0;
  Begin(waiter, WaitFor(16, 1000, 10'000));
  Pass(50);
  EXPECT_FALSE(ended());
  Store(writer, 1, 10);
  Pass(5);
  ASSERT_TRUE(ended());
  EXPECT_EQ(result_->longest_tokens(), 160u);
  EXPECT_EQ(result_->flight, Flight::kNone);
  Pass(5);
  EXPECT_EQ(Watched(), 0u);
}

TEST_F(WaitCall, StepsKeepItFromEndingForEveryBlock) {
  Start(10);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer);
  WaitRequest request = WaitFor(0, 1000, 10'000);
  request.step_tokens = 100;
  Begin(waiter, std::move(request));
  Store(writer, 0, 6);
  Pass(20);
  EXPECT_FALSE(ended());
  Store(writer, 6, 7);
  Pass(5);
  ASSERT_TRUE(ended());
  EXPECT_EQ(result_->longest_tokens(), 112u);
  // A step that would pass the end is over at the end.
  ended_ns_ = 0;
  request = WaitFor(112, 1000, 10'000);
  request.step_tokens = 100;
  Begin(waiter, std::move(request));
  Store(writer, 7, 10);
  Pass(5);
  ASSERT_TRUE(ended());
  EXPECT_EQ(result_->longest_tokens(), 160u);
}

TEST_F(WaitCall, TheDeadlineEndsIt) {
  Start(10);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer, 60'000);
  const int64_t start_ns = loop_.NowNs();
  const MatchResult result = Wait(waiter, 0, 1000, 300);
  EXPECT_EQ(result.flight, Flight::kComputing);
  EXPECT_EQ(result.longest_tokens(), 0u);
  EXPECT_TRUE(result.complete);
  EXPECT_LE(loop_.NowNs() - start_ns, 310 * kMs);
  EXPECT_GE(loop_.NowNs() - start_ns, 250 * kMs);
  Pass(5);
  EXPECT_EQ(Watched(), 0u);
}

TEST_F(WaitCall, OfAllWhoWaitOneTakesOverFromTheDead) {
  Start(30);
  const size_t writer = AddClient();
  MatchResult claimed = Match(writer, 60'000);
  constexpr size_t kWaiters = 8;
  std::vector<absl::StatusOr<MatchResult>> results(kWaiters);
  auto run = [](ClientCore* core, WaitRequest wait, absl::StatusOr<MatchResult>* out) -> Task<void> {
    Task<absl::StatusOr<MatchResult>> waiting = core->Wait(std::move(wait));
    *out = co_await waiting;
  };
  for (size_t i = 0; i < kWaiters; ++i) {
    const size_t waiter = AddClient();
    scope_.Spawn(run(clients_[waiter].get(), WaitFor(0, 1000, 400), &results[i]));
  }
  Pass(20);
  const int64_t death_ns = loop_.NowNs();
  Kill(writer);
  auto join = [](TaskScope* scope) -> Task<void> { co_await scope->Join(); };
  loop_.Run(join(&scope_));
  size_t owners = 0;
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok());
    owners += result->flight == Flight::kClaimed;
    EXPECT_NE(result->flight, Flight::kNone);
  }
  EXPECT_EQ(owners, 1u);
  EXPECT_EQ(Granted(), 60u);
  EXPECT_EQ(Claimed(), 30u);
  EXPECT_LE(loop_.NowNs() - death_ns, 400 * kMs);
}

TEST_F(WaitCall, WhatNobodyComputesIsClaimedAtOnceOrEndsIt) {
  Start(5);
  const size_t one = AddClient();
  const int64_t start_ns = loop_.NowNs();
  EXPECT_EQ(Wait(one, 0, 0, 5000).flight, Flight::kNone);
  EXPECT_EQ(Granted(), 0u);
  const MatchResult claimed = Wait(one, 0, 1000, 5000);
  EXPECT_EQ(claimed.flight, Flight::kClaimed);
  EXPECT_EQ(Claimed(), 5u);
  EXPECT_LE(loop_.NowNs() - start_ns, 100 * kMs);
}

TEST_F(WaitCall, ANodeThatDiesEndsIt) {
  Start(5);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer, 60'000);
  Begin(waiter, WaitFor(0, 1000, 2000));
  Pass(20);
  network_.Kill(node_.address());
  Pass(2100);
  ASSERT_TRUE(ended());
  ASSERT_TRUE(result_.ok());
  EXPECT_FALSE(result_->complete);
  EXPECT_EQ(result_->flight, Flight::kNone);
}

TEST_F(WaitCall, ANodeThatFreezesDoesNotOutlastTheDeadline) {
  Start(5);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer, 60'000);
  const int64_t start_ns = loop_.NowNs();
  Begin(waiter, WaitFor(0, 1000, 400));
  Pass(20);
  network_.Freeze(node_.address(), true);
  Pass(500);
  ASSERT_TRUE(ended());
  EXPECT_LE(ended_ns_ - start_ns, 410 * kMs);
  network_.Freeze(node_.address(), false);
}

TEST_F(WaitCall, ALongWaitIsNoSilenceOfTheNode) {
  Start(5);
  const size_t writer = AddClient(), waiter = AddClient();
  const MatchResult claimed = Match(writer, 60'000);
  Begin(waiter, WaitFor(0, 1000, 20'000));
  for (int i = 0; i < 10; ++i) {
    Pass(1000);
    EXPECT_EQ(Match(waiter, 0).complete, true);
  }
  EXPECT_EQ(clients_[waiter]->counters().breaker_opened, 0u);
  EXPECT_FALSE(ended());
  Store(writer, 0, 5);
  Pass(5);
  EXPECT_TRUE(ended());
}

TEST(WaitCallOldNode, ANodeWithoutTheFeatureEndsItAtOnce) {
  ClientFixture f(1);
  f.ConnectAndWait();
  const std::vector<BlockKey> keys = f.Keys(1, 3);
  WaitRequest request;
  request.groups = {KeyList(keys)};
  request.deadline_ms = 1000;
  const int64_t start_ns = f.loop.NowNs();
  const auto result = f.loop.Run(f.client->Wait(std::move(request)));
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->complete);
  EXPECT_EQ(result->flight, Flight::kNone);
  EXPECT_LE(f.loop.NowNs() - start_ns, 100 * kMs);
  EXPECT_EQ(f.node->requests.count(wire::FrameType::kWait), 0u);
}

}  // namespace
}  // namespace incipit
