#include "transport/ucx/guard/ucx_greeting_check.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/transport/ucx/guard/ucx_traffic.h"

namespace incipit::testing {
namespace {

TEST(UcxGreetingCheckTest, GreetingsAreWholeAndOfTheKnownForm) {
  const Bytes body = UcxGreetingBody();
  EXPECT_TRUE(IsUcxGreetingBody(body));
  for (size_t bytes = 0; bytes < body.size(); ++bytes) {
    EXPECT_FALSE(IsUcxGreetingBody(ByteView(body).first(bytes))) << "cut after " << bytes;
  }
  EXPECT_FALSE(IsUcxGreetingBody(Packed().Append(body).Fill(1).bytes)) << "something behind it";
}

TEST(UcxGreetingCheckTest, CostsAreNumbersThatCanBe) {
  constexpr size_t kOverhead = 16, kBandwidth = 20, kLatency = 24;
  for (const size_t at : {kOverhead, kBandwidth, kLatency}) {
    for (const float value : {-1.f, 1e30f, NAN, INFINITY, -INFINITY}) {
      Bytes body = UcxGreetingBody();
      std::memcpy(&body[at], &value, sizeof(value));
      EXPECT_FALSE(IsUcxGreetingBody(body)) << value << " at " << at;
    }
  }
}

TEST(UcxGreetingCheckTest, OfTcpAloneAllIsKnownButNamesPortsAndCosts) {
  const Bytes body = UcxGreetingBody();
  constexpr size_t kPortLow = 33;
  for (size_t at = 0; at < body.size(); ++at) {
    Bytes other = body;
    other[at] ^= 2;
    const bool may_differ = at < 8 || (at >= 16 && at < 29) || (at >= kPortLow + 5 && at < kPortLow + 13);
    if (at >= 16 && at < 28) continue;  // numbers: see above
    EXPECT_EQ(IsUcxGreetingBody(other), may_differ) << "byte " << at;
  }
}

TEST(UcxGreetingCheckTest, SeveralInterfacesOnlyWhereTheyAreUsed) {
  const Bytes body = UcxGreetingBody();
  Bytes two = body;
  constexpr size_t kDeviceLengths = 13;
  two[kDeviceLengths] &= 0x7f;  // not the last
  two.insert(two.end(), body.begin() + kDeviceLengths - 1, body.end());
  EXPECT_FALSE(IsUcxGreetingBody(two));
  EXPECT_TRUE(IsUcxGreetingBody(two, /*several=*/true));
}

TEST(UcxGreetingCheckTest, ServerHearsAnAddressThenThatItsOwnCame) {
  UcxGreetingCheck server(/*accepted=*/true);
  const Bytes greeting = UcxGreeting(UcxGreetingBody()), heard = UcxGreeting({});
  for (const uint8_t& byte : greeting) EXPECT_TRUE(server.OnReceived({&byte, 1}));
  EXPECT_FALSE(UcxGreetingCheck(server).OnReceived(heard)) << "before its turn";
  server.OnSent(greeting);
  EXPECT_FALSE(UcxGreetingCheck(server).OnReceived(UcxGreeting({}, -23))) << "a server is not rejected";
  EXPECT_FALSE(UcxGreetingCheck(server).OnReceived(greeting)) << "again";
  EXPECT_TRUE(server.OnReceived(heard));
  EXPECT_FALSE(server.OnReceived(heard)) << "a third";
}

TEST(UcxGreetingCheckTest, NothingFollowsARejection) {
  UcxGreetingCheck server(/*accepted=*/true);
  EXPECT_TRUE(server.OnReceived(UcxGreeting(UcxGreetingBody())));
  server.OnSent(UcxGreeting({}, -23));
  EXPECT_FALSE(server.OnReceived(UcxGreeting({})));
}

TEST(UcxGreetingCheckTest, ClientHearsOneAddressOrARejection) {
  const Bytes greeting = UcxGreeting(UcxGreetingBody());
  UcxGreetingCheck client(/*accepted=*/false);
  EXPECT_FALSE(UcxGreetingCheck(client).OnReceived(greeting)) << "before it spoke";
  client.OnSent(greeting);
  EXPECT_TRUE(UcxGreetingCheck(client).OnReceived(UcxGreeting({}, -23)));
  EXPECT_FALSE(UcxGreetingCheck(client).OnReceived(UcxGreeting({}, 0)));
  EXPECT_TRUE(client.OnReceived(greeting));
  EXPECT_FALSE(client.OnReceived(greeting)) << "a second";
}

TEST(UcxGreetingCheckTest, LengthsAreWithinLimits) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{2049}, uint64_t{1} << 40, ~uint64_t{0}}) {
    UcxGreetingCheck server(/*accepted=*/true);
    EXPECT_FALSE(server.OnReceived(Packed().Add(bytes).Fill(8).bytes)) << bytes;
  }
  UcxGreetingCheck server(/*accepted=*/true);
  EXPECT_FALSE(server.OnReceived(Packed().Append(UcxGreeting(UcxGreetingBody())).Fill(1).bytes)) << "more than it says";
}

}  // namespace
}  // namespace incipit::testing
