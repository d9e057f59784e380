#include "transport/ucx/ucx_address.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(UcxAddress, SettingsAreRead) {
  const auto address = UcxAddress::Parse("ucx://10.0.0.5:9410?devices=mlx5_0:1,mlx5_1:1&transports=rc_verbs");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_EQ(address->host_port, "10.0.0.5:9410");
  EXPECT_EQ(address->settings.devices, "mlx5_0:1,mlx5_1:1");
  EXPECT_EQ(address->settings.transports, "rc_verbs");
  EXPECT_EQ(UcxAddress::Parse(address->ToString())->settings, address->settings);
}

TEST(UcxAddress, LoopbackNeedsNoDevice) {
  for (const char* text : {"ucx://127.0.0.1:1", "ucx://localhost:1", "ucx://[::1]:1"}) {
    const auto address = UcxAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->settings.devices, "lo");
  }
}

TEST(UcxAddress, WhatIsMalformedIsRefusedWithTheReason) {
  for (const char* text :
       {"tcp://127.0.0.1:1", "ucx://127.0.0.1", "ucx://127.0.0.1:1?device=lo", "ucx://127.0.0.1:1?devices",
        "ucx://127.0.0.1:1?devices=", "ucx://127.0.0.1:1?devices=lo&", "ucx://127.0.0.1:1?devices=a;b",
        "ucx://127.0.0.1:1?transports=^tcp", "ucx://10.0.0.5:9410"}) {
    const auto address = UcxAddress::Parse(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(address.status().message().find(text), std::string::npos) << address.status();
  }
}

TEST(UcxAddress, TransportsFollowFromTheDevice) {
  EXPECT_EQ((UcxSettings{"eth0", ""}).TransportsOrDefault(), "tcp");
  EXPECT_EQ((UcxSettings{"mlx5_0:1", ""}).TransportsOrDefault(), "rc");
  EXPECT_EQ((UcxSettings{"lo", "posix,tcp"}).TransportsOrDefault(), "posix,tcp");
}

TEST(UcxAddress, OnlyTransportsKnownToBeOthersAreNotTcp) {
  for (const char* transports : {"rc", "rc_verbs,ud_verbs", "dc_x", "self", "posix", "ib"}) {
    EXPECT_FALSE((UcxSettings{"mlx5_0:1", transports}).UsesTcp()) << transports;
  }
  for (const char* transports : {"tcp", "rc,tcp", "all", "posix,tcp", "cuda_copy"}) {
    EXPECT_TRUE((UcxSettings{"mlx5_0:1", transports}).UsesTcp()) << transports;
  }
  EXPECT_TRUE((UcxSettings{"eth0", ""}).UsesTcp());
  EXPECT_FALSE((UcxSettings{"mlx5_0:1", ""}).UsesTcp());
}

TEST(UcxAddress, EachShardHasThePortAfterTheOneBefore) {
  EXPECT_EQ(UcxAddressOfShard("ucx://127.0.0.1:9410", 0), "ucx://127.0.0.1:9410?devices=lo");
  EXPECT_EQ(UcxAddressOfShard("ucx://127.0.0.1:9410?devices=lo&transports=tcp", 3),
            "ucx://127.0.0.1:9413?devices=lo&transports=tcp");
}

TEST(UcxAddress, WhatHasNoShardsIsLeftAsItIs) {
  for (const char* text : {"tcp://127.0.0.1:9410", "ucx://127.0.0.1:65535", "ucx://127.0.0.1:x", "ucx://10.0.0.5:1"}) {
    EXPECT_EQ(UcxAddressOfShard(text, 1), text);
  }
}

}  // namespace
}  // namespace incipit
