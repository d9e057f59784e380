#include "cache/tenants/failure_limiter.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

void Fail(FailureLimiter* limiter, std::string_view peer, std::string_view tenant, uint32_t times, int64_t now_ns) {
  for (uint32_t i = 0; i < times; ++i) limiter->OnFailure(peer, tenant, now_ns);
}

TEST(FailureLimiter, PausesBeginAfterTheFreeFailuresAndDoubleUpToALimit) {
  FailureLimiter limiter;
  Fail(&limiter, "p", "t", kFreeFailures, 1);
  EXPECT_EQ(limiter.WaitNs("p", "t", 1), 0);
  int64_t expected_ns = kFirstPauseNs;
  for (int i = 0; i < 20; ++i) {
    limiter.OnFailure("p", "t", 1);
    EXPECT_EQ(limiter.WaitNs("p", "t", 1), expected_ns) << i;
    expected_ns = std::min(2 * expected_ns, kLongestPauseNs);
  }
  EXPECT_EQ(limiter.WaitNs("p", "t", 1 + kLongestPauseNs), 0);
}

TEST(FailureLimiter, OtherTenantsOfThePeerAndOtherPeersAreFree) {
  FailureLimiter limiter;
  Fail(&limiter, "p", "t", kFreeFailures + 3, 1);
  EXPECT_GT(limiter.WaitNs("p", "t", 1), 0);
  EXPECT_EQ(limiter.WaitNs("p", "u", 1), 0);
  EXPECT_EQ(limiter.WaitNs("q", "t", 1), 0);
}

TEST(FailureLimiter, PeerThatTriesManyNamesHasToWaitWithAll) {
  FailureLimiter limiter;
  for (uint32_t i = 0; i <= kFreeFailuresOfPeer; ++i) limiter.OnFailure("p", std::to_string(i), 1);
  EXPECT_GT(limiter.WaitNs("p", "never tried", 1), 0);
  EXPECT_EQ(limiter.WaitNs("q", "0", 1), 0);
}

TEST(FailureLimiter, SuccessForgetsTheFailuresWithThatName) {
  FailureLimiter limiter;
  Fail(&limiter, "p", "t", kFreeFailures + 3, 1);
  limiter.OnSuccess("p", "t");
  EXPECT_EQ(limiter.WaitNs("p", "t", 1), 0);
}

TEST(FailureLimiter, QuietTimeForgets) {
  FailureLimiter limiter;
  Fail(&limiter, "p", "t", kFreeFailures + 8, 1);
  const int64_t later_ns = 2 + kForgetFailuresNs;
  limiter.OnFailure("p", "t", later_ns);
  EXPECT_EQ(limiter.WaitNs("p", "t", later_ns), 0);
}

TEST(FailureLimiter, TableIsBoundedAndKeepsTheLatest) {
  FailureLimiter limiter;
  for (size_t i = 0; i < kMaxFailureEntries; ++i) limiter.OnFailure(std::to_string(i), "t", static_cast<int64_t>(i));
  EXPECT_LE(limiter.size(), kMaxFailureEntries);
  const auto now_ns = static_cast<int64_t>(kMaxFailureEntries);
  Fail(&limiter, "latest", "t", kFreeFailures + 1, now_ns);
  EXPECT_LE(limiter.size(), kMaxFailureEntries);
  EXPECT_GT(limiter.WaitNs("latest", "t", now_ns), 0);
}

TEST(FailureLimiter, HostIsThePeerWithoutItsPort) {
  EXPECT_EQ(HostOfPeer("10.0.0.5:40123"), "10.0.0.5");
  EXPECT_EQ(HostOfPeer("[::1]:40123"), "[::1]");
  EXPECT_EQ(HostOfPeer("pipe"), "pipe");
}

}  // namespace
}  // namespace incipit
