#include "transport/ucx/ucx_api.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/ucx_here.h"
#include "transport/ucx/ucx_config.h"

namespace incipit {
namespace {

TEST(UcxApi, IsLoadedOnceAndNamesItsVersion) {
  INCIPIT_SKIP_WITHOUT_UCX();
  const auto api = UcxApi::Load();
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_EQ(*UcxApi::Load(), *api);
  EXPECT_EQ((*api)->Version().substr(0, 2), "1.");
  EXPECT_FALSE((*api)->ErrorText(UCS_ERR_UNREACHABLE).empty());
}

TEST(UcxApi, CrashHandlersOfTheProcessStay) {
  INCIPIT_SKIP_WITHOUT_UCX();
  ASSERT_TRUE(UcxApi::Load().ok());
  struct sigaction action {};
  sigaction(SIGFPE, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST(UcxConfig, EverySettingIsKnownToThisUcx) {
  INCIPIT_SKIP_WITHOUT_UCX();
  const auto api = UcxApi::Load();
  ASSERT_TRUE(api.ok()) << api.status();
  const auto context = MakeUcxContext(*api, {"lo", "tcp"});
  ASSERT_TRUE(context.ok()) << context.status();
  (*api)->cleanup(*context);
}

TEST(UcxConfig, WhatTheMachineHasNotIsNamed) {
  INCIPIT_SKIP_WITHOUT_UCX();
  const auto context = MakeUcxContext(*UcxApi::Load(), {"nosuch7", "tcp"});
  EXPECT_EQ(context.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(context.status().message().find("nosuch7"), std::string::npos) << context.status();
}

}  // namespace
}  // namespace incipit
