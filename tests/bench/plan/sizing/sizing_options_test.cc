#include "bench/plan/sizing/sizing_options.h"

#include <gtest/gtest.h>

#include <limits>

namespace incipit::bench {
namespace {

TEST(SizingOptionsTest, DefaultsAreAllowed) { EXPECT_TRUE(CheckSizing({}).ok()) << CheckSizing({}); }

TEST(SizingOptionsTest, WhatMakesNoSenseIsRefusedByItsFlag) {
  const auto refused = [](auto change, const char* flag) {
    SizingOptions options;
    change(&options);
    const absl::Status status = CheckSizing(options);
    EXPECT_FALSE(status.ok()) << flag;
    EXPECT_NE(status.message().find(flag), absl::string_view::npos) << status;
  };
  refused([](SizingOptions* options) { options->gpu = "abacus"; }, "--gpu");
  refused([](SizingOptions* options) { options->gpus = 0; }, "--gpus");
  refused([](SizingOptions* options) { options->codec.ratio = 0.5; }, "--codec");
  refused([](SizingOptions* options) { options->codec_threads = 0; }, "--codec-threads");
  refused([](SizingOptions* options) { options->core_dollars_per_hour = -1; }, "--core-price");
  refused([](SizingOptions* options) { options->ram_percent = 0; }, "--ram-percent");
  refused([](SizingOptions* options) { options->ram_percent = 101; }, "--ram-percent");
  refused([](SizingOptions* options) { options->node_gbit_per_s = -1; }, "--node-gbit");
  refused([](SizingOptions* options) { options->ram_dollars_per_gb_month = std::numeric_limits<double>::quiet_NaN(); },
          "--ram-price");
  refused([](SizingOptions* options) { options->slo_percentile = 0; }, "--slo-percentile");
  refused([](SizingOptions* options) { options->endurance_tbw = std::numeric_limits<double>::infinity(); },
          "--nvme-endurance-tbw");
  refused([](SizingOptions* options) { options->node_nvme_bytes = 0; }, "--node-nvme");
}

TEST(SizingOptionsTest, NodesWithoutDrivesKeepAllInRam) {
  SizingOptions options;
  options.node_nvme_bytes = 0;
  options.ram_percent = 100;
  EXPECT_TRUE(CheckSizing(options).ok());
}

}  // namespace
}  // namespace incipit::bench
