#include "transport/wire/protocol_version.h"

#include <gtest/gtest.h>

namespace incipit::wire {
namespace {

Hello Range(uint16_t min, uint16_t max) {
  Hello hello;
  hello.min_version = min;
  hello.max_version = max;
  return hello;
}

TEST(ProtocolVersionTest, HighestCommonVersionIsChosen) {
  EXPECT_EQ(*NegotiateVersion(Range(1, 1)), 1);
  EXPECT_EQ(*NegotiateVersion(Range(1, 9)), kProtocolVersion);
  EXPECT_EQ(*NegotiateVersion(Range(kProtocolVersion, UINT16_MAX)), kProtocolVersion);
}

TEST(ProtocolVersionTest, NewerClientIsRefusedWithBothRanges) {
  const absl::Status status = NegotiateVersion(Range(2, 7)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("client speaks 2 to 7, the server speaks 1 to 1"), std::string::npos) << status;
}

}  // namespace
}  // namespace incipit::wire
