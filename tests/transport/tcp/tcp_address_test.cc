#include "transport/tcp/tcp_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(TcpAddress, NumericFormsRoundTrip) {
  EXPECT_EQ(ResolveTcpAddress("127.0.0.1:9400")->ToString(), "127.0.0.1:9400");
  EXPECT_EQ(ResolveTcpAddress("tcp://127.0.0.1:0")->ToString(), "127.0.0.1:0");
  EXPECT_EQ(ResolveTcpAddress("[::1]:65535")->ToString(), "[::1]:65535");
}

TEST(TcpAddress, OnlyLoopbackCountsAsLoopback) {
  EXPECT_TRUE(ResolveTcpAddress("127.0.0.1:1")->IsLoopback());
  EXPECT_TRUE(ResolveTcpAddress("127.255.0.9:1")->IsLoopback());
  EXPECT_TRUE(ResolveTcpAddress("[::1]:1")->IsLoopback());
  EXPECT_FALSE(ResolveTcpAddress("0.0.0.0:1")->IsLoopback());
  EXPECT_FALSE(ResolveTcpAddress("128.0.0.1:1")->IsLoopback());
  EXPECT_FALSE(ResolveTcpAddress("[::]:1")->IsLoopback());
  EXPECT_FALSE(ResolveTcpAddress("10.127.0.1:1")->IsLoopback());
}

TEST(TcpAddress, MalformedIsRefusedWithAnExample) {
  for (const char* address : {"", "localhost", ":9400", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                              "127.0.0.1:9400x", "127.0.0.1: 9400", "tcp://"}) {
    const absl::Status status = ResolveTcpAddress(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("127.0.0.1:9400")) << address;
  }
}

TEST(TcpAddress, NumericNonsenseDoesNotResolve) {
  EXPECT_EQ(ResolveTcpAddress("[::g]:1").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace incipit
