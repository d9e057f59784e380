// How a replay's findings are told: sums, JSON for scripts, text for people.
#include <fmt/format.h>

#include "bench/replay/replay.h"

namespace incipit::bench {

void ReplayInterval::Merge(const ReplayInterval& other) {
  hits.Merge(other.hits);
  present_blocks += other.present_blocks;
  failed_requests += other.failed_requests;
  wrong_bytes += other.wrong_bytes;
  latency_us.Merge(other.latency_us);
}

void ReplayCounts::Merge(const ReplayCounts& other) {
  hits.Merge(other.hits);
  failed_requests += other.failed_requests;
  if (intervals.size() < other.intervals.size()) intervals.resize(other.intervals.size());
  for (size_t i = 0; i < other.intervals.size(); ++i) intervals[i].Merge(other.intervals[i]);
  wrong_bytes += other.wrong_bytes;
  loaded_blocks += other.loaded_blocks;
  loaded_blocks_nvme += other.loaded_blocks_nvme;
  loaded_bytes += other.loaded_bytes;
  vanished_blocks += other.vanished_blocks;
  stored_blocks += other.stored_blocks;
  stored_bytes += other.stored_bytes;
  present_blocks += other.present_blocks;
  refused_blocks += other.refused_blocks;
  busy_answers += other.busy_answers;
  latency_us.Merge(other.latency_us);
  match_us.Merge(other.match_us);
  load_us.Merge(other.load_us);
  store_us.Merge(other.store_us);
}

double ReplayReport::GbPerSecond() const {
  return seconds > 0 ? static_cast<double>(counts.loaded_bytes + counts.stored_bytes) / 1e9 / seconds : 0;
}

namespace {

Json IntervalsJson(const ReplayReport& report) {
  Json list = Json::array();
  for (size_t i = 0; i < report.counts.intervals.size(); ++i) {
    const ReplayInterval& interval = report.counts.intervals[i];
    list.push_back({{"start_s", Rounded(static_cast<double>(i) * report.options.interval_ms / 1000, 3)},
                    {"requests", interval.hits.requests},
                    {"failed_requests", interval.failed_requests},
                    {"blocks", interval.hits.blocks},
                    {"present_blocks", interval.present_blocks},
                    {"input_tokens", interval.hits.input_tokens},
                    {"hit_tokens", interval.hits.hit_tokens},
                    {"token_hit_ratio", Rounded(interval.hits.TokenHitRatio(), 5)},
                    {"wrong_bytes", interval.wrong_bytes},
                    {"latency_us", PercentilesJson(interval.latency_us)}});
  }
  return list;
}

}  // namespace

Json ReplayJson(const ReplayReport& report) {
  const ReplayCounts& counts = report.counts;
  Json json = {{"ok", report.ok()},
               {"requests", counts.hits.requests},
               {"blocks", counts.hits.blocks},
               {"token_hit_ratio", Rounded(counts.hits.TokenHitRatio(), 5)},
               {"wrong_bytes", counts.wrong_bytes},
               {"gb_per_s", Rounded(report.GbPerSecond(), 3)},
               {"latency_us", PercentilesJson(counts.latency_us)},
               {"match_latency_us", PercentilesJson(counts.match_us)},
               {"load_latency_us", PercentilesJson(counts.load_us)},
               {"store_latency_us", PercentilesJson(counts.store_us)},
               {"block_hit_ratio", Rounded(counts.hits.BlockHitRatio(), 5)},
               {"input_tokens", counts.hits.input_tokens},
               {"hit_tokens", counts.hits.hit_tokens},
               {"unique_blocks", report.unique_blocks},
               {"block_bytes", report.block_bytes},
               {"loaded_blocks", counts.loaded_blocks},
               {"loaded_blocks_nvme", counts.loaded_blocks_nvme},
               {"loaded_bytes", counts.loaded_bytes},
               {"vanished_blocks", counts.vanished_blocks},
               {"stored_blocks", counts.stored_blocks},
               {"stored_bytes", counts.stored_bytes},
               {"present_blocks", counts.present_blocks},
               {"refused_blocks", counts.refused_blocks},
               {"busy_answers", counts.busy_answers},
               {"seconds", Rounded(report.seconds, 3)},
               {"workers", report.options.workers},
               {"shards", report.ram_bytes > 0 ? report.options.shards : 0},
               {"ram_bytes", report.ram_bytes},
               {"nvme_bytes", report.nvme_bytes},
               {"region_bytes", report.region_bytes},
               {"server_cpu_s", Rounded(report.server_cpu_s, 3)},
               {"eviction", report.options.eviction}};
  if (!report.options.cluster.empty()) json["failed_requests"] = counts.failed_requests;
  if (report.options.interval_ms > 0) json["intervals"] = IntervalsJson(report);
  if (report.predicted_hit_ratio.has_value()) {
    json["predicted_token_hit_ratio"] = Rounded(*report.predicted_hit_ratio, 5);
    json["deviation_points"] = Rounded(report.Deviation(), 3);
    json["tolerance_points"] = report.options.tolerance_points;
  }
  return json;
}

std::string ReplayText(const ReplayReport& report) {
  const ReplayCounts& counts = report.counts;
  std::string text =
      fmt::format("{} requests, {} blocks of {} bytes ({} unique), {} workers, {:.1f} s\n", counts.hits.requests,
                  counts.hits.blocks, report.block_bytes, report.unique_blocks, report.options.workers, report.seconds);
  text += fmt::format("token hit ratio  {:.2f} %  ({} of {} input tokens)\n", counts.hits.TokenHitRatio() * 100,
                      counts.hits.hit_tokens, counts.hits.input_tokens);
  if (report.predicted_hit_ratio.has_value()) {
    text += fmt::format("predicted        {:.2f} %  (measured {:+.2f} points, {} the {:g} allowed)\n",
                        *report.predicted_hit_ratio * 100, report.Deviation(),
                        report.AsPredicted() ? "within" : "beyond", report.options.tolerance_points);
  }
  text += fmt::format(
      "loaded           {:.2f} GB, {:.1f} % of it from NVMe\n", static_cast<double>(counts.loaded_bytes) / 1e9,
      counts.loaded_blocks == 0
          ? 0.0
          : 100.0 * static_cast<double>(counts.loaded_blocks_nvme) / static_cast<double>(counts.loaded_blocks));
  text += fmt::format("stored           {:.2f} GB; {} blocks were refused\n",
                      static_cast<double>(counts.stored_bytes) / 1e9, counts.refused_blocks);
  text += fmt::format("moved            {:.2f} GB/s\n", report.GbPerSecond());
  text += fmt::format("request latency  p50 {:.0f} us, p99 {:.0f} us, p99.9 {:.0f} us\n", counts.latency_us.At(0.5),
                      counts.latency_us.At(0.99), counts.latency_us.At(0.999));
  text += fmt::format("wrong bytes      {}\n", counts.wrong_bytes);
  if (!report.options.cluster.empty()) text += fmt::format("failed requests  {}\n", counts.failed_requests);
  return text;
}

}  // namespace incipit::bench
