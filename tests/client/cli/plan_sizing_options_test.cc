#include "client/cli/plan_sizing_options.h"

#include <gmock/gmock.h>

#include "absl/strings/str_split.h"
#include "bench/plan/sizing/recommendation.h"
#include "client/cli/serve_options.h"
#include "tests/support/cli_fixture.h"
#include "tests/support/small_trace.h"

namespace incipit {
namespace {

using testing::HasSubstr;

bench::SizingOptions Parse(const std::string& flags) {
  CLI::App app;
  bench::SizingOptions options;
  AddPlanSizingOptions(&app, &options);
  EXPECT_NO_THROW(app.parse(flags, false)) << flags;
  return options;
}

TEST(PlanSizingOptionsTest, EveryFlagReachesItsSetting) {
  const bench::SizingOptions options = Parse(
      "--sizing all --gpu h200 --gpus 4 --prefill-tokens-per-s 5 --client-gbit 6 --gpu-price 7 --node-ram 8GiB "
      "--node-nvme 9GB --ram-percent 10 --node-gbit 11 --node-nvme-gbps 12 --nvme-endurance-tbw 13 --nvme-life-years "
      "14 "
      "--node-price 15 --ram-price 16 --nvme-price 17 --slo-ttft-ms 18 --slo-percentile 19 --codec 1.25 "
      "--codec-threads 20 --core-price 21");
  EXPECT_EQ(options.codec.ratio, 1.25);
  EXPECT_EQ(options.codec_threads, 20u);
  EXPECT_EQ(options.core_dollars_per_hour, 21);
  EXPECT_EQ(options.scope, bench::SizingScope::kAll);
  EXPECT_EQ(options.gpu, "h200");
  EXPECT_EQ(options.gpus, 4u);
  EXPECT_EQ(options.prefill_tokens_per_s, 5);
  EXPECT_EQ(options.client_gbit_per_s, 6);
  EXPECT_EQ(options.gpu_dollars_per_hour, 7);
  EXPECT_EQ(options.node_ram_bytes, uint64_t{8} << 30);
  EXPECT_EQ(options.node_nvme_bytes, 9'000'000'000u);
  EXPECT_EQ(options.ram_percent, 10);
  EXPECT_EQ(options.node_gbit_per_s, 11);
  EXPECT_EQ(options.node_nvme_gb_per_s, 12);
  EXPECT_EQ(options.endurance_tbw, 13);
  EXPECT_EQ(options.nvme_life_years, 14);
  EXPECT_EQ(options.node_dollars_per_hour, 15);
  EXPECT_EQ(options.ram_dollars_per_gb_month, 16);
  EXPECT_EQ(options.nvme_dollars_per_tb_month, 17);
  EXPECT_EQ(options.slo_ttft_ms, 18);
  EXPECT_EQ(options.slo_percentile, 19);
  EXPECT_EQ(Parse("--nvme-endurance-dwpd 3").endurance_dwpd, 3);
}

TEST(PlanSizingOptionsTest, WrongValuesNameTheFlag) {
  const std::vector<std::string> usual = {
      "plan", "--trace", WriteSmallTrace("plan_sizing_options_test"), "--policy", "lru", "--sizes", "5%"};
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{{"--gpu", "abacus"},
                                                        {"--gpus", "0"},
                                                        {"--codec", "gzip"},
                                                        {"--codec", "0.9"},
                                                        {"--codec-threads", "0"},
                                                        {"--node-gbit", "-1"},
                                                        {"--sizing", "some"},
                                                        {"--ram-percent", "200"},
                                                        {"--layout", "abacus"},
                                                        {"--html", "/nonexistent/report.html"}}) {
    std::vector<std::string> arguments = usual;
    arguments.insert(arguments.end(), {flag, value});
    const CliResult result = RunIncipit(arguments);
    EXPECT_NE(result.exit_code, 0) << flag;
    EXPECT_THAT(result.err, HasSubstr(flag));
  }
}

// What plan prints at its end, serve must take.
TEST(PlanSizingOptionsTest, ServeTakesTheRecommendedFlags) {
  bench::RowSizing sizing;
  sizing.nodes_for_slo = 3;
  sizing.ram_bytes = uint64_t{90} << 30;
  for (const uint64_t nvme_bytes : {uint64_t{0}, uint64_t{6} << 40}) {
    sizing.nvme_bytes = nvme_bytes;
    std::vector<std::string> words = absl::StrSplit(bench::ServeCommand({"auto", &sizing}), ' ');
    ASSERT_EQ(words[1], "serve");
    words.erase(words.begin(), words.begin() + 2);
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    CLI::App app;
    ServeOptions options;
    AddServeOptions(&app, &options);
    ASSERT_NO_THROW(app.parse(words));
    EXPECT_TRUE(FinishServeOptions(&options).ok());
    EXPECT_EQ(options.node.ram_bytes, uint64_t{30} << 30);
    EXPECT_EQ(options.node.nvme_bytes, nvme_bytes / 3);
    EXPECT_EQ(options.node.nvme_path.empty(), nvme_bytes == 0);
    EXPECT_EQ(options.node.store.eviction, "auto");
  }
}

}  // namespace
}  // namespace incipit
