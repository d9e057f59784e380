#include "transport/lane_connector.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

absl::Status Try(const std::string& address) {
  const std::unique_ptr<UringLoop> loop = *UringLoop::Create({});
  LaneConnector connector(loop.get());
  return loop->RunTask(connector.Connect(address, loop->NowNs() + 1'000'000'000)).status();
}

TEST(LaneConnectorTest, TheSchemeSaysWhichLane) {
  EXPECT_TRUE(absl::IsUnavailable(Try("127.0.0.1:1")));
  EXPECT_TRUE(absl::IsUnavailable(Try("tcp://127.0.0.1:1")));
  const absl::Status local = Try("unix://@incipit-nobody-listens-here");
  EXPECT_TRUE(absl::IsUnavailable(local));
  EXPECT_NE(local.message().find("unix://@incipit-nobody"), std::string::npos) << local;
  const absl::Status ucx = Try("ucx://127.0.0.1:1");  // unavailable too where UCX is not installed
  EXPECT_TRUE(absl::IsUnavailable(ucx) || absl::IsDeadlineExceeded(ucx)) << ucx;
  EXPECT_NE(ucx.message().find("ucx"), std::string::npos) << ucx;
}

TEST(LaneConnectorTest, OtherSchemesAreNamed) {
  const absl::Status status = Try("carrier-pigeon://coop");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_NE(status.message().find("tcp://, unix:// and ucx://"), std::string::npos) << status;
}

TEST(LaneConnectorTest, WhatCanBeNoAddressIsToldWithoutConnecting) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:99999", "tcp://", "", "unix://relative/path", "ucx://",
                              "ucx://127.0.0.1:port", "carrier-pigeon://x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(LaneConnector::CheckAddress(address))) << address;
  }
  for (const char* address :
       {"127.0.0.1:1", "tcp://[::1]:9400", "no-such-host.invalid:1", "unix:///no/such/place", "unix://@nobody"}) {
    EXPECT_TRUE(LaneConnector::CheckAddress(address).ok()) << address;
  }
}

}  // namespace
}  // namespace incipit
