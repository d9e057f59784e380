#include "bench/plan/sizing/sizing_report.h"

#include <fmt/format.h>

#include "bench/plan/belady_gap.h"
#include "bench/plan/sizing/gpu.h"

namespace incipit::bench {
namespace {

constexpr double kMega = 1e6, kGiga = 1e9, kTera = 1e12;

Json RatesJson(const Rates& rates) {
  return {{"mean_bytes_per_s", rates.mean_bytes_per_s},
          {"p99_bytes_per_s", rates.p99_bytes_per_s},
          {"peak_bytes_per_s", rates.peak_bytes_per_s}};
}

double PercentOf(double part, double whole) { return whole == 0 ? 0 : 100 * part / whole; }

std::string GapText(const PlanReport& report) {
  const size_t sizes = report.options.sizes_percent.size();
  std::string text = fmt::format("\n{:<10}", "missing");
  for (const double percent : report.options.sizes_percent)
    text += fmt::format("{:>12}", fmt::format("{:g} %", percent));
  for (size_t i = 0; i < report.rows.size(); ++i) {
    const BeladyGap gap = GapOf(report, i);
    if (i % sizes == 0) text += fmt::format("\n{:<10}", report.rows[i].policy);
    text += fmt::format("{:>12}", fmt::format("{:.1f}/{:.1f}", 100 * gap.by_policy, 100 * gap.by_capacity));
  }
  return text + fmt::format(
                    "\n\nEach cell: points of tokens that a clairvoyant policy would add at this size / that more room "
                    "would add to "
                    "that;\nwith room for everything {:.1f} % hit.\n",
                    100 * report.endless.TokenHitRatio());
}

std::string GigabytesOf(uint64_t bytes) {
  const double gigabytes = static_cast<double>(bytes) / kGiga;
  return gigabytes < 100 ? fmt::format("{:.1f}", gigabytes) : fmt::format("{:.0f}", gigabytes);
}

std::string RowText(const std::string& label, const RowSizing& sizing) {
  const std::string size =
      fmt::format("{:>8} {:>8} {:>6.1f} {:>6.1f} {:>6}", GigabytesOf(sizing.ram_bytes), GigabytesOf(sizing.nvme_bytes),
                  100 * sizing.ram_hit_ratio, 100 * sizing.nvme_hit_ratio,
                  fmt::format("{}/{}", sizing.nodes_for_slo, sizing.nodes_with_one_lost));
  const std::string ttft = fmt::format("{:>6.2f} {:>6.2f}", sizing.ttft_with_s.At(0.5), sizing.ttft_with_s.At(0.99));
  if (!sizing.has_rates)
    return fmt::format("{:<16}{}      -       -      -     - {}        -        -\n", label, size, ttft);
  return fmt::format("{:<16}{} {:>6.0f} {:>7.0f} {:>6.2f} {:>5.0f} {} {:>8.3f} {:>8.2f}\n", label, size,
                     sizing.read_per_node.mean_bytes_per_s / kMega, sizing.read_per_node.p99_bytes_per_s / kMega,
                     sizing.written_bytes_per_day / kTera,
                     PercentOf(sizing.written_bytes_per_day, sizing.endurance_bytes_per_day), ttft,
                     sizing.dollars_per_million_tokens, sizing.NetDollarsPerHour());
}

std::string CodecText(const SizingOptions& options) {
  std::string text = fmt::format("Stored by {}: {:.0f} of {:.0f} bytes a token, 1/{:.3g}", options.codec.name,
                                 options.StoredBytesPerToken(), options.bytes_per_token, options.codec.ratio);
  if (options.codec.decode_bytes_per_s > 0) {
    text += fmt::format("; {} threads of an engine decode {:.1f} GB/s of raw bytes while the rest arrives",
                        options.codec_threads, options.codec_threads * options.codec.decode_bytes_per_s / kGiga);
  }
  return text + ".\n";
}

constexpr char kHead[] =
    "                     RAM     NVMe  hit %: hit %:  nodes   read   burst  TB to  wear   TTFT   p99  $ for 1M   $ "
    "net\n"
    "                      GB       GB    RAM   NVMe  SLO/+1   MB/s    p99  NVMe/d     %  p50 s      s   tokens     an "
    "h\n";

std::string RecommendationText(const Recommendation& recommendation, double slo_percentile) {
  const RowSizing& sizing = recommendation.sizing();
  std::string text = fmt::format("\nRecommended: {:g} % of the distinct blocks, by RAM share:\n{}",
                                 recommendation.size_percent, kHead);
  for (const RowSizing& split : recommendation.splits) {
    text += RowText(fmt::format("{} {:>4.0f} % RAM", &split == &sizing ? '>' : ' ', split.ram_percent), split);
  }
  text += fmt::format(
      "\n{} node{} for the SLO (p{:g} of TTFT within {:.2f} s), {} to keep it with one lost; the moment it is lost "
      "{:.1f} "
      "%\nof tokens hit. It saves {:.2f} GPU hours an hour, worth ${:.2f}, and costs ${:.2f} an hour (${:.2f} with the "
      "spare node).\n",
      sizing.nodes_for_slo, sizing.nodes_for_slo == 1 ? "" : "s", slo_percentile, sizing.slo_ttft_s,
      sizing.nodes_with_one_lost, 100 * sizing.hit_ratio_after_loss, sizing.saved_gpu_hours_per_hour,
      sizing.saved_dollars_per_hour, sizing.dollars_per_hour, sizing.dollars_per_hour_with_spare);
  if (sizing.codec_cores > 0) {
    text += fmt::format("Coding keeps {:.2f} cores of the engines' hosts busy, which is in that cost.\n",
                        sizing.codec_cores);
  }
  for (const std::string& note : recommendation.notes) text += fmt::format("Note: {}.\n", note);
  return text + fmt::format("\nOn each node:\n  {}\n", recommendation.serve_command);
}

}  // namespace

Json DistributionJson(const Distribution& distribution) {
  Json quantiles = Json::array();
  for (size_t i = 0; i < Distribution::kShares.size(); ++i) {
    quantiles.push_back({Distribution::kShares[i], distribution.at[i]});
  }
  return {{"mean", distribution.mean},    {"p50", distribution.At(0.5)},  {"p90", distribution.At(0.9)},
          {"p95", distribution.At(0.95)}, {"p99", distribution.At(0.99)}, {"quantiles", std::move(quantiles)}};
}

Json RowSizingJson(const RowSizing& sizing) {
  Json json{{"ram_percent", sizing.ram_percent},
            {"ram_bytes", sizing.ram_bytes},
            {"nvme_bytes", sizing.nvme_bytes},
            {"ram_hit_ratio", sizing.ram_hit_ratio},
            {"nvme_hit_ratio", sizing.nvme_hit_ratio},
            {"nodes_for_capacity", sizing.nodes_for_capacity},
            {"nodes_for_slo", sizing.nodes_for_slo},
            {"nodes_with_one_lost", sizing.nodes_with_one_lost},
            {"slo_in_reach", sizing.slo_in_reach},
            {"slo_ttft_s", sizing.slo_ttft_s},
            {"hit_ratio_after_loss", sizing.hit_ratio_after_loss},
            {"declined_ratio", sizing.declined_ratio},
            {"ttft_with_s", DistributionJson(sizing.ttft_with_s)},
            {"ttft_without_s", DistributionJson(sizing.ttft_without_s)}};
  const Json rates{{"read_per_node", RatesJson(sizing.read_per_node)},
                   {"store_per_node", RatesJson(sizing.store_per_node)},
                   {"written_bytes_per_day", sizing.written_bytes_per_day},
                   {"endurance_bytes_per_day", sizing.endurance_bytes_per_day},
                   {"endurance_holds", sizing.EnduranceHolds()},
                   {"nvme_life_years", sizing.nvme_life_years},
                   {"codec_cores", sizing.codec_cores},
                   {"dollars_per_hour", sizing.dollars_per_hour},
                   {"dollars_per_hour_with_spare", sizing.dollars_per_hour_with_spare},
                   {"saved_tokens_per_hour", sizing.saved_tokens_per_hour},
                   {"dollars_per_million_tokens_saved", sizing.dollars_per_million_tokens},
                   {"saved_gpu_hours_per_hour", sizing.saved_gpu_hours_per_hour},
                   {"saved_dollars_per_hour", sizing.saved_dollars_per_hour},
                   {"net_dollars_per_hour", sizing.NetDollarsPerHour()}};
  for (const auto& [name, value] : rates.items()) json[name] = sizing.has_rates ? value : Json();
  // A quotient without a divisor.
  if (sizing.written_bytes_per_day == 0) json["nvme_life_years"] = nullptr;
  if (sizing.saved_tokens_per_hour == 0) json["dollars_per_million_tokens_saved"] = nullptr;
  return json;
}

Json RecommendationJson(const Recommendation& recommendation) {
  Json splits = Json::array();
  for (const RowSizing& split : recommendation.splits) splits.push_back(RowSizingJson(split));
  return {{"policy", recommendation.policy}, {"size_percent", recommendation.size_percent},
          {"split", recommendation.split},   {"splits", std::move(splits)},
          {"notes", recommendation.notes},   {"serve", recommendation.serve_command}};
}

Json SizingOptionsJson(const PlanReport& report) {
  const SizingOptions& options = report.options.sizing;
  const absl::StatusOr<Gpu> gpu = GpuOf(options.gpu);
  const double flops = options.prefill_tokens_per_s > 0
                           ? options.prefill_tokens_per_s * report.cost.linear_flops_per_token
                           : (gpu.ok() ? gpu->flops_per_s * options.gpus : 0);
  const double gpu_dollars =
      options.gpu_dollars_per_hour > 0 || !gpu.ok() ? options.gpu_dollars_per_hour : gpu->dollars_per_hour;
  return {{"bytes_per_token", options.bytes_per_token},
          {"codec", options.codec.name},
          {"codec_ratio", options.codec.ratio},
          {"stored_bytes_per_token", options.StoredBytesPerToken()},
          {"codec_decode_bytes_per_s", options.codec.decode_bytes_per_s},
          {"codec_encode_bytes_per_s", options.codec.encode_bytes_per_s},
          {"codec_threads", options.codec_threads},
          {"linear_flops_per_token", report.cost.linear_flops_per_token},
          {"attention_flops_per_token_and_depth", report.cost.attention_flops_per_token_and_depth},
          {"gpu", options.gpu},
          {"gpus", options.gpus},
          {"prefill_flops_per_s", flops},
          {"client_gbit_per_s", options.client_gbit_per_s},
          {"gpu_dollars_per_hour", gpu_dollars},
          {"ram_percent", options.ram_percent},
          {"node_ram_bytes", options.node_ram_bytes},
          {"node_nvme_bytes", options.node_nvme_bytes},
          {"node_gbit_per_s", options.node_gbit_per_s},
          {"node_nvme_read_bytes_per_s", options.node_nvme_gb_per_s * kGiga},
          {"nvme_endurance_dwpd", options.endurance_dwpd},
          {"nvme_endurance_tbw", options.endurance_tbw},
          {"nvme_life_years", options.nvme_life_years},
          {"node_dollars_per_hour", options.node_dollars_per_hour},
          {"ram_dollars_per_gb_month", options.ram_dollars_per_gb_month},
          {"nvme_dollars_per_tb_month", options.nvme_dollars_per_tb_month},
          {"core_dollars_per_hour", options.core_dollars_per_hour},
          {"slo_ttft_ms", options.slo_ttft_ms},
          {"slo_percentile", options.slo_percentile}};
}

std::string SizingText(const PlanReport& report) {
  std::string text;
  if (!report.bounds.empty()) text += GapText(report);
  std::string rows;
  const RowSizing* any = nullptr;
  for (const PlanRow& row : report.rows) {
    if (!row.sizing.has_value()) continue;
    any = &*row.sizing;
    rows += RowText(fmt::format("{:<9}{:>5g} %", row.policy, row.size_percent), *any);
  }
  if (any != nullptr) {
    text += fmt::format(
        "\n{}{}\nWithout the tier: TTFT p50 {:.2f} s, p99 {:.2f} s. Rates are per node. What is assumed: "
        "docs/planner.md, --help\n",
        kHead, rows, any->ttft_without_s.At(0.5), any->ttft_without_s.At(0.99));
  }
  if (any != nullptr && report.options.sizing.codec.codes()) text += CodecText(report.options.sizing);
  if (report.recommendation.has_value()) {
    text += RecommendationText(*report.recommendation, report.options.sizing.slo_percentile);
  }
  return text;
}

}  // namespace incipit::bench
