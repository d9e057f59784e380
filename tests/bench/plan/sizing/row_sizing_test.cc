#include "bench/plan/sizing/row_sizing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace incipit::bench {
namespace {

// Ten requests of 100 tokens, one each 100 s; blocks of 10 tokens.
PrefixTrace Trace(uint64_t step_ms = 100'000) {
  PrefixTrace trace(10);
  for (uint64_t i = 0; i < 10; ++i) {
    std::vector<uint64_t> ids;
    for (uint64_t block = 0; block < 10; ++block) ids.push_back(block);
    trace.Add(i * step_ms, 100, 1, ids);
  }
  trace.Finish();
  return trace;
}

// 40 tokens from RAM and 30 from NVMe each; 2 blocks stored and 1 written.
std::vector<ServedRequest> Served() {
  return std::vector<ServedRequest>(10, {.ram_hits = 4, .nvme_hits = 3, .stored = 2, .written = 1});
}

// A replica of 2 GPUs computes a token in 10 ms; a token is 1 MB.
SizingOptions Options() {
  SizingOptions options;
  options.bytes_per_token = 1e6;
  options.gpus = 2;
  options.prefill_tokens_per_s = 100;
  options.gpu_dollars_per_hour = 2;
  options.node_ram_bytes = 1'000'000'000;
  options.node_nvme_bytes = 2'000'000'000;
  options.node_dollars_per_hour = 1;
  return options;
}

constexpr CostModel kLinear = {1e9, 0};
constexpr double kSpan = 900;  // seconds

TEST(RowSizingTest, BytesNodesAndHitsFollowFromBlocks) {
  const RowSizing sizing = SizeRow(Trace(), Served(), 1000, 200, kLinear, Options());
  EXPECT_EQ(sizing.ram_percent, 20);
  EXPECT_NEAR(static_cast<double>(sizing.ram_bytes), 2e9 / 0.95, 2);
  EXPECT_NEAR(static_cast<double>(sizing.nvme_bytes), 8e9 / 0.94, 2);
  EXPECT_EQ(sizing.nodes_for_capacity, 5u);  // 8.5 GB on drives of 2
  EXPECT_DOUBLE_EQ(sizing.ram_hit_ratio, 0.4);
  EXPECT_DOUBLE_EQ(sizing.nvme_hit_ratio, 0.3);
  EXPECT_EQ(sizing.nodes_for_slo, 5u);
  EXPECT_EQ(sizing.nodes_with_one_lost, 6u);
}

TEST(RowSizingTest, TimeToFirstTokenIsLoadingAndTheRestOfComputing) {
  SizingOptions options = Options();
  options.client_gbit_per_s = 8;  // 0.8 GB/s of payload: 70 MB in 87.5 ms
  const RowSizing sizing = SizeRow(Trace(), Served(), 100, 20, kLinear, options);
  EXPECT_NEAR(sizing.ttft_without_s.At(0.5), 1, 1e-9);
  EXPECT_NEAR(sizing.ttft_with_s.At(0.5), 0.3 + 0.0875, 1e-9);
  EXPECT_EQ(sizing.declined_ratio, 0);
}

TEST(RowSizingTest, RatesWearAndMoneyFollowFromTheTimeSpan) {
  const RowSizing sizing = SizeRow(Trace(), Served(), 100, 20, kLinear, Options());
  ASSERT_TRUE(sizing.has_rates);
  ASSERT_EQ(sizing.nodes_for_slo, 1u);
  EXPECT_NEAR(sizing.read_per_node.mean_bytes_per_s, 700e6 / kSpan, 1);
  EXPECT_NEAR(sizing.read_per_node.peak_bytes_per_s, 70e6, 1);
  EXPECT_NEAR(sizing.store_per_node.mean_bytes_per_s, 200e6 / kSpan, 1);
  EXPECT_NEAR(sizing.written_bytes_per_day, 100e6 * 86'400 / kSpan, 1);
  EXPECT_NEAR(sizing.endurance_bytes_per_day, 2e9, 1);
  EXPECT_FALSE(sizing.EnduranceHolds());  // 9.6 GB a day on 2 GB
  EXPECT_NEAR(sizing.nvme_life_years, 5 * 2 / 9.6, 1e-6);
  EXPECT_NEAR(sizing.saved_tokens_per_hour, 700 / kSpan * 3600, 1e-6);
  // 700 tokens at 100 a second on two GPUs.
  EXPECT_NEAR(sizing.saved_gpu_hours_per_hour, 7.0 * 2 / kSpan, 1e-9);
  EXPECT_NEAR(sizing.saved_dollars_per_hour, 2 * 7.0 * 2 / kSpan, 1e-9);
  const double memory = (0.2 / 0.95 * 0.15 + 0.8e-3 / 0.94 * 3) / 730;
  EXPECT_NEAR(sizing.dollars_per_hour, 1 + memory, 1e-6);
  EXPECT_NEAR(sizing.dollars_per_hour_with_spare, 2 * (1 + memory), 1e-6);
  EXPECT_NEAR(sizing.dollars_per_million_tokens, (1 + memory) / (700 / kSpan * 3600) * 1e6, 1e-2);
}

TEST(RowSizingTest, ACodecMakesBytesFewerAndCoresBusy) {
  SizingOptions options = Options();
  options.client_gbit_per_s = 8;  // 0.8 GB/s of payload
  options.codec = {.name = "halves", .ratio = 2, .decode_bytes_per_s = 100e6, .encode_bytes_per_s = 50e6};
  options.core_dollars_per_hour = 10;
  const RowSizing raw = SizeRow(Trace(), Served(), 100, 20, kLinear, Options());
  const RowSizing coded = SizeRow(Trace(), Served(), 100, 20, kLinear, options);
  EXPECT_NEAR(static_cast<double>(coded.ram_bytes), static_cast<double>(raw.ram_bytes) / 2, 1);
  EXPECT_NEAR(static_cast<double>(coded.nvme_bytes), static_cast<double>(raw.nvme_bytes) / 2, 1);
  EXPECT_NEAR(coded.read_per_node.mean_bytes_per_s, raw.read_per_node.mean_bytes_per_s / 2, 1);
  EXPECT_NEAR(coded.store_per_node.mean_bytes_per_s, raw.store_per_node.mean_bytes_per_s / 2, 1);
  EXPECT_NEAR(coded.written_bytes_per_day, raw.written_bytes_per_day / 2, 1);
  EXPECT_NEAR(coded.ttft_with_s.At(0.5), 0.3 + 0.35, 1e-9) << "70 MB over two threads of 100 MB/s";
  const double cores = (700e6 / 100e6 + 200e6 / 50e6) / kSpan;
  EXPECT_NEAR(coded.codec_cores, cores, 1e-9);
  EXPECT_EQ(raw.codec_cores, 0);
  const double memory = (0.1 / 0.95 * 0.15 + 0.4e-3 / 0.94 * 3) / 730;
  EXPECT_NEAR(coded.dollars_per_hour, 1 + memory + 10 * cores, 1e-6);
}

TEST(RowSizingTest, EnduranceMayBeGivenAsBytesOfALife) {
  SizingOptions options = Options();
  options.endurance_tbw = 36.5;
  options.nvme_life_years = 10;
  const RowSizing sizing = SizeRow(Trace(), Served(), 100, 20, kLinear, options);
  EXPECT_NEAR(sizing.endurance_bytes_per_day, 1e10, 1);
  EXPECT_TRUE(sizing.EnduranceHolds());
}

TEST(RowSizingTest, NodesAreAddedUntilTheSloHolds) {
  SizingOptions options = Options();
  options.node_gbit_per_s = 1;  // 0.1 GB/s of payload: 70 MB in 0.7 s over one node
  options.client_gbit_per_s = 1000;
  options.slo_ttft_ms = 450;  // 0.3 s computing, so 0.15 s for loading: five nodes
  const RowSizing sizing = SizeRow(Trace(), Served(), 100, 20, kLinear, options);
  EXPECT_TRUE(sizing.slo_in_reach);
  EXPECT_EQ(sizing.nodes_for_capacity, 1u);
  EXPECT_EQ(sizing.nodes_for_slo, 5u);
  EXPECT_LE(sizing.ttft_with_s.At(0.99), 0.45);
  options.slo_ttft_ms = 200;
  const RowSizing beyond = SizeRow(Trace(), Served(), 100, 20, kLinear, options);
  EXPECT_FALSE(beyond.slo_in_reach);
  EXPECT_LE(beyond.ttft_with_s.At(0.99), beyond.slo_ttft_s);
}

TEST(RowSizingTest, LosingANodeCutsChains) {
  const RowSizing sizing = SizeRow(Trace(), Served(), 100, 20, kLinear, Options());
  double expected = 0;
  for (int i = 1; i <= 7; ++i) expected += std::pow(0.5, i);  // one of two nodes
  EXPECT_NEAR(sizing.hit_ratio_after_loss, expected / 10, 1e-9);
}

TEST(RowSizingTest, ATraceInOneInstantHasNoRates) {
  const RowSizing sizing = SizeRow(Trace(0), Served(), 100, 20, kLinear, Options());
  EXPECT_FALSE(sizing.has_rates);
  EXPECT_EQ(sizing.dollars_per_hour, 0);
  EXPECT_DOUBLE_EQ(sizing.ram_hit_ratio, 0.4);
}

TEST(RowSizingTest, RamIsAtLeastABlockAndAtMostAll) {
  EXPECT_EQ(RamBlocksOf(10, 1), 1u);
  EXPECT_EQ(RamBlocksOf(1000, 12.5), 125u);
  EXPECT_EQ(RamBlocksOf(10, 100), 10u);
}

}  // namespace
}  // namespace incipit::bench
