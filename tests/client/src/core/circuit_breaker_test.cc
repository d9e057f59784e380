#include "client/src/core/circuit_breaker.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

constexpr int64_t kMs = 1'000'000;

CircuitBreaker::Options Options() {
  return {.failures_to_open = 3, .cooldown_ns = 500 * kMs, .pause_min_ns = 10 * kMs, .pause_max_ns = 2000 * kMs};
}

TEST(CircuitBreaker, OpensAfterFailuresInARow) {
  CircuitBreaker breaker(Options());
  EXPECT_FALSE(breaker.OnFailure());
  EXPECT_FALSE(breaker.OnFailure());
  breaker.OnReply();
  EXPECT_FALSE(breaker.OnFailure());
  EXPECT_FALSE(breaker.OnFailure());
  EXPECT_FALSE(breaker.open());
  EXPECT_TRUE(breaker.OnFailure());
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.OnFailure()) << "opened once only";
}

TEST(CircuitBreaker, AfterAProbeOneFailureOpensItAgain) {
  CircuitBreaker breaker(Options());
  for (int i = 0; i < 5; ++i) breaker.OnFailure();
  breaker.OnConnected();
  EXPECT_FALSE(breaker.open());
  EXPECT_TRUE(breaker.OnFailure());
  breaker.OnConnected();
  breaker.OnReply();
  EXPECT_FALSE(breaker.OnFailure());
}

TEST(CircuitBreaker, ALongSilenceOpensItAtOnceAShortOneIsAFailureLikeOthers) {
  CircuitBreaker breaker(Options());
  EXPECT_FALSE(breaker.OnSilence(999 * kMs));
  EXPECT_EQ(breaker.failures(), 1u);
  EXPECT_TRUE(breaker.OnSilence(1000 * kMs));
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.OnSilence(5000 * kMs)) << "opened once only";
  breaker.OnConnected();
  EXPECT_FALSE(breaker.open());
}

TEST(CircuitBreaker, PausesDoubleWithinTheirBounds) {
  auto random = MakeSeededRandom(1);
  CircuitBreaker breaker(Options());
  EXPECT_EQ(breaker.PauseNs(random.get()), 0);
  const int64_t expected_ms[] = {10, 20, 500, 500, 500, 500, 640, 1280, 2000, 2000};
  for (int64_t pause_ms : expected_ms) {
    breaker.OnFailure();
    for (int i = 0; i < 20; ++i) {
      const int64_t pause_ns = breaker.PauseNs(random.get());
      EXPECT_LE(pause_ns, pause_ms * kMs);
      EXPECT_GE(pause_ns, pause_ms * kMs / 2);
    }
  }
  for (int i = 0; i < 1000; ++i) breaker.OnFailure();
  EXPECT_LE(breaker.PauseNs(random.get()), 2000 * kMs);
}

}  // namespace
}  // namespace incipit
