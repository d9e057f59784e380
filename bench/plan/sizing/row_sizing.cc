#include "bench/plan/sizing/row_sizing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/plan/sizing/gpu.h"
#include "bench/plan/sizing/ttft_model.h"
#include "cache/base/check.h"
#include "cache/nvme/nvme_tier.h"

namespace incipit::bench {
namespace {

constexpr double kArenaFill = 0.95;           // the arena wastes at most 5 %
constexpr double kNetworkPayloadShare = 0.8;  // of a link's rate, after framing, TCP and what is not perfect
constexpr double kBitsPerByte = 8;
constexpr double kHoursPerMonth = 730;
constexpr double kSecondsPerDay = 86'400, kDaysPerYear = 365, kSecondsPerHour = 3600;

double BytesPerSecond(double gbit) { return gbit * 1e9 / kBitsPerByte * kNetworkPayloadShare; }

// Tokens of a request's hit, and those of them on NVMe, which come last.
TtftRequest LoadOf(const PrefixTrace& trace, const PrefixTrace::Request& request, const ServedRequest& served) {
  const uint64_t hit = trace.TokensOf(request, served.ram_hits + served.nvme_hits);
  return {.time_ms = request.time_ms,
          .input_tokens = request.input_tokens,
          .hit_tokens = hit,
          .nvme_tokens = std::min(hit, uint64_t{served.nvme_hits} * trace.block_tokens())};
}

class Sizer {
 public:
  Sizer(const PrefixTrace& trace, const std::vector<ServedRequest>& served, const CostModel& cost,
        const SizingOptions& options)
      : trace_(trace), served_(served), cost_(cost), options_(options) {
    const absl::StatusOr<Gpu> gpu = GpuOf(options.gpu);
    INCIPIT_CHECK(gpu.ok(), "options that were checked");
    flops_per_s_ = options.prefill_tokens_per_s > 0 ? options.prefill_tokens_per_s * cost.linear_flops_per_token
                                                    : gpu->flops_per_s * options.gpus;
    gpu_dollars_ = options.gpu_dollars_per_hour > 0 ? options.gpu_dollars_per_hour : gpu->dollars_per_hour;
    const auto& requests = trace.requests();
    seconds_ = static_cast<double>(requests.back().time_ms - requests.front().time_ms) / 1e3;
    result_.has_rates = seconds_ > 0;
  }

  RowSizing Run(uint64_t capacity_blocks, uint64_t ram_blocks) {
    Bytes(capacity_blocks, std::min(ram_blocks, capacity_blocks));
    HitsByTier();
    CountNodes();
    FinalTtft();
    AfterLoss();
    if (result_.has_rates) {
      Bandwidth();
      Coding();
      Wear();
      Money();
    }
    return result_;
  }

 private:
  double BlockBytes() const { return trace_.block_tokens() * options_.StoredBytesPerToken(); }

  void Bytes(uint64_t capacity_blocks, uint64_t ram_blocks) {
    const double nvme_blocks = static_cast<double>(capacity_blocks - ram_blocks);
    result_.ram_percent = 100 * static_cast<double>(ram_blocks) / static_cast<double>(capacity_blocks);
    result_.ram_bytes = static_cast<uint64_t>(static_cast<double>(ram_blocks) * BlockBytes() / kArenaFill);
    result_.nvme_bytes = static_cast<uint64_t>(nvme_blocks * BlockBytes() / NvmeOptions{}.fill_limit);
    const auto nodes = [](uint64_t bytes, uint64_t per_node) {
      return bytes == 0 ? 0.0
                        : std::ceil(static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(1, per_node)));
    };
    const double most = std::max(
        {1.0, nodes(result_.ram_bytes, options_.node_ram_bytes), nodes(result_.nvme_bytes, options_.node_nvme_bytes)});
    result_.nodes_for_capacity = static_cast<uint32_t>(std::min(most, 1e9));
  }

  void HitsByTier() {
    double ram = 0, nvme = 0;
    for (size_t i = 0; i < served_.size(); ++i) {
      const TtftRequest load = LoadOf(trace_, trace_.requests()[i], served_[i]);
      nvme += static_cast<double>(load.nvme_tokens);
      ram += static_cast<double>(load.hit_tokens - load.nvme_tokens);
    }
    const double all = std::max(1.0, static_cast<double>(trace_.input_tokens()));
    result_.ram_hit_ratio = ram / all;
    result_.nvme_hit_ratio = nvme / all;
  }

  TtftModel ModelOf(double nodes) const {
    return TtftModel({.cost = cost_,
                      .flops_per_s = flops_per_s_,
                      .bytes_per_token = options_.StoredBytesPerToken(),
                      .raw_bytes_per_token = options_.bytes_per_token,
                      .decode_bytes_per_s = options_.codec_threads * options_.codec.decode_bytes_per_s,
                      .client_bytes_per_s = BytesPerSecond(options_.client_gbit_per_s),
                      .network_bytes_per_s = nodes * BytesPerSecond(options_.node_gbit_per_s),
                      .nvme_bytes_per_s = nodes * options_.node_nvme_gb_per_s * 1e9});
  }

  double SloQuantile(double nodes) const {
    TtftModel model = ModelOf(nodes);
    std::vector<double> samples;
    samples.reserve(served_.size());
    for (size_t i = 0; i < served_.size(); ++i) {
      samples.push_back(model.With(LoadOf(trace_, trace_.requests()[i], served_[i])).seconds);
    }
    return QuantileOf(&samples, options_.slo_percentile / 100);
  }

  // The least number of nodes that keeps the SLO; more nodes never make it worse.
  void CountNodes() {
    const double endless = SloQuantile(std::numeric_limits<double>::infinity());
    const double asked = options_.slo_ttft_ms / 1e3;
    result_.slo_in_reach = asked == 0 || endless <= asked;
    result_.slo_ttft_s = asked > 0 && result_.slo_in_reach ? asked : endless * (1 + kSlackOfSlo);
    uint32_t enough = result_.nodes_for_capacity;
    uint32_t too_few = enough - 1;
    while (SloQuantile(enough) > result_.slo_ttft_s && enough < kMaxPlannedNodes) {
      too_few = enough;
      enough = std::min(kMaxPlannedNodes, enough * 2);
    }
    while (enough - too_few > 1 && too_few >= result_.nodes_for_capacity) {
      const uint32_t middle = too_few + (enough - too_few) / 2;
      (SloQuantile(middle) > result_.slo_ttft_s ? too_few : enough) = middle;
    }
    result_.nodes_for_slo = enough;
    result_.nodes_with_one_lost = enough + 1;
  }

  void FinalTtft() {
    TtftModel model = ModelOf(result_.nodes_for_slo);
    std::vector<double> with, without;
    double hit = 0;
    for (size_t i = 0; i < served_.size(); ++i) {
      const TtftRequest load = LoadOf(trace_, trace_.requests()[i], served_[i]);
      const TtftModel::Answer answer = model.With(load);
      with.push_back(answer.seconds);
      without.push_back(model.WithoutSeconds(load.input_tokens));
      hit += static_cast<double>(load.hit_tokens);
      if (!answer.loaded) continue;
      loaded_tokens_ += static_cast<double>(load.hit_tokens);
      loaded_flops_ += cost_.Flops(0, load.hit_tokens);
    }
    result_.declined_ratio = hit == 0 ? 0 : 1 - loaded_tokens_ / hit;
    result_.ttft_with_s = Distribution::Of(std::move(with));
    result_.ttft_without_s = Distribution::Of(std::move(without));
  }

  void AfterLoss() {
    const double nodes = result_.nodes_with_one_lost;
    const double left = (nodes - 1) / nodes;
    double tokens = 0;
    for (size_t i = 0; i < served_.size(); ++i) {
      const uint32_t blocks = served_[i].ram_hits + served_[i].nvme_hits;
      const double kept = left / (1 - left) * (1 - std::pow(left, blocks));
      const double all = static_cast<double>(trace_.TokensOf(trace_.requests()[i], blocks));
      if (blocks > 0) tokens += all * kept / blocks;
    }
    result_.hit_ratio_after_loss = tokens / std::max(1.0, static_cast<double>(trace_.input_tokens()));
  }

  void Bandwidth() {
    BurstMeter reads, stores;
    for (size_t i = 0; i < served_.size(); ++i) {
      const PrefixTrace::Request& request = trace_.requests()[i];
      const TtftRequest load = LoadOf(trace_, request, served_[i]);
      reads.Add(request.time_ms, static_cast<double>(load.hit_tokens) * options_.StoredBytesPerToken());
      stores.Add(request.time_ms, served_[i].stored * BlockBytes());
    }
    const auto per_node = [this](Rates rates) {
      rates.mean_bytes_per_s /= result_.nodes_for_slo;
      rates.p99_bytes_per_s /= result_.nodes_for_slo;
      rates.peak_bytes_per_s /= result_.nodes_for_slo;
      return rates;
    };
    result_.read_per_node = per_node(reads.Measure());
    result_.store_per_node = per_node(stores.Measure());
  }

  // What is declined is not decoded; what is stored is encoded once.
  void Coding() {
    double stored_blocks = 0;
    for (const ServedRequest& served : served_) stored_blocks += served.stored;
    const double stored = stored_blocks * trace_.block_tokens() * options_.bytes_per_token;
    result_.codec_cores = options_.codec.Cores(loaded_tokens_ * options_.bytes_per_token / seconds_, stored / seconds_);
  }

  void Wear() {
    if (result_.nvme_bytes == 0) return;
    double blocks = 0;
    for (const ServedRequest& served : served_) blocks += served.written;
    result_.written_bytes_per_day = blocks * BlockBytes() * kSecondsPerDay / seconds_;
    const double node_bytes_per_day = options_.endurance_tbw > 0
                                          ? options_.endurance_tbw * 1e12 / (options_.nvme_life_years * kDaysPerYear)
                                          : options_.endurance_dwpd * static_cast<double>(options_.node_nvme_bytes);
    result_.endurance_bytes_per_day = node_bytes_per_day * result_.nodes_for_slo;
    if (result_.written_bytes_per_day == 0) return;
    result_.nvme_life_years =
        options_.nvme_life_years * result_.endurance_bytes_per_day / result_.written_bytes_per_day;
  }

  void Money() {
    const double memory = (static_cast<double>(result_.ram_bytes) / 1e9 * options_.ram_dollars_per_gb_month +
                           static_cast<double>(result_.nvme_bytes) / 1e12 * options_.nvme_dollars_per_tb_month) /
                          kHoursPerMonth;
    const double nodes = result_.nodes_for_slo;
    const double tier = nodes * options_.node_dollars_per_hour + memory;
    const double coding = result_.codec_cores * options_.core_dollars_per_hour;
    result_.dollars_per_hour = tier + coding;
    result_.dollars_per_hour_with_spare = tier * (nodes + 1) / nodes + coding;
    result_.saved_tokens_per_hour = loaded_tokens_ / seconds_ * kSecondsPerHour;
    if (loaded_tokens_ > 0) {
      result_.dollars_per_million_tokens = result_.dollars_per_hour / (result_.saved_tokens_per_hour / 1e6);
    }
    result_.saved_gpu_hours_per_hour = loaded_flops_ / flops_per_s_ * options_.gpus / seconds_;
    result_.saved_dollars_per_hour = result_.saved_gpu_hours_per_hour * gpu_dollars_;
  }

  const PrefixTrace& trace_;
  const std::vector<ServedRequest>& served_;
  const CostModel& cost_;
  const SizingOptions& options_;
  double flops_per_s_ = 0, gpu_dollars_ = 0, seconds_ = 0;
  double loaded_tokens_ = 0, loaded_flops_ = 0;  // of hits that were not declined
  RowSizing result_;
};

}  // namespace

RowSizing SizeRow(const PrefixTrace& trace, const std::vector<ServedRequest>& served, uint64_t capacity_blocks,
                  uint64_t ram_blocks, const CostModel& cost, const SizingOptions& options) {
  return Sizer(trace, served, cost, options).Run(capacity_blocks, ram_blocks);
}

uint64_t RamBlocksOf(uint64_t capacity_blocks, double ram_percent) {
  const double blocks = std::round(static_cast<double>(capacity_blocks) * ram_percent / 100);
  return std::clamp<uint64_t>(static_cast<uint64_t>(blocks), 1, capacity_blocks);
}

}  // namespace incipit::bench
