#include "bench/plan/sizing/sizing_options.h"

#include <fmt/format.h>

#include "bench/plan/sizing/gpu.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {

absl::Status CheckSizing(const SizingOptions& options) {
  struct Limit {
    const char* flag;
    double value, least, most;
  };
  const Limit limits[] = {
      {"--layout (bytes a token)", options.bytes_per_token, 1, 1e9},
      {"--codec (ratio)", options.codec.ratio, 1, kMostCodecRatio},
      {"--codec-threads", static_cast<double>(options.codec_threads), 1, 256},
      {"--core-price", options.core_dollars_per_hour, 0, 1e6},
      {"--gpus", static_cast<double>(options.gpus), 1, 1024},
      {"--prefill-tokens-per-s", options.prefill_tokens_per_s, 0, 1e9},
      {"--client-gbit", options.client_gbit_per_s, 0.001, 1e5},
      {"--gpu-price", options.gpu_dollars_per_hour, 0, 1e6},
      {"--ram-percent", options.ram_percent, 0.01, 100},
      {"--node-ram", static_cast<double>(options.node_ram_bytes), 1 << 30, 1e15},
      {"--node-nvme", static_cast<double>(options.node_nvme_bytes), 0, 1e16},
      {"--node-gbit", options.node_gbit_per_s, 0.001, 1e5},
      {"--node-nvme-gbps", options.node_nvme_gb_per_s, 0.001, 1e4},
      {"--nvme-endurance-dwpd", options.endurance_dwpd, 0.001, 1000},
      {"--nvme-endurance-tbw", options.endurance_tbw, 0, 1e9},
      {"--nvme-life-years", options.nvme_life_years, 0.1, 100},
      {"--node-price", options.node_dollars_per_hour, 0, 1e6},
      {"--ram-price", options.ram_dollars_per_gb_month, 0, 1e6},
      {"--nvme-price", options.nvme_dollars_per_tb_month, 0, 1e6},
      {"--slo-ttft-ms", options.slo_ttft_ms, 0, 1e9},
      {"--slo-percentile", options.slo_percentile, 1, 100},
  };
  for (const Limit& limit : limits) {
    if (limit.value >= limit.least && limit.value <= limit.most) continue;  // false for what is no number
    return absl::InvalidArgumentError(
        fmt::format("{}: {}; allowed: {} to {}", limit.flag, limit.value, limit.least, limit.most));
  }
  if (options.node_nvme_bytes == 0 && options.ram_percent < 100) {
    return absl::InvalidArgumentError("--node-nvme 0: a node without NVMe needs --ram-percent 100");
  }
  return GpuOf(options.gpu).status();
}

}  // namespace incipit::bench
