#include "bench/plan/sizing/ttft_model.h"

#include <algorithm>

namespace incipit::bench {

TtftModel::Answer TtftModel::With(const TtftRequest& request) {
  const double compute_all = PrefillSeconds(0, request.input_tokens);
  if (request.hit_tokens == 0) return {.seconds = compute_all};
  const double now = static_cast<double>(request.time_ms) / 1e3;
  const double bytes = static_cast<double>(request.hit_tokens) * inputs_.bytes_per_token;
  const double nvme_bytes = static_cast<double>(request.nvme_tokens) * inputs_.bytes_per_token;
  const double network_end = std::max(now, network_free_s_) + bytes / inputs_.network_bytes_per_s;
  const double nvme_end =
      request.nvme_tokens == 0 ? now : std::max(now, nvme_free_s_) + nvme_bytes / inputs_.nvme_bytes_per_s;
  const double raw_bytes = static_cast<double>(request.hit_tokens) * inputs_.raw_bytes_per_token;
  const double decode = inputs_.decode_bytes_per_s > 0 ? raw_bytes / inputs_.decode_bytes_per_s : 0;
  const double load = std::max({network_end - now, nvme_end - now, bytes / inputs_.client_bytes_per_s, decode});
  if (load >= PrefillSeconds(0, request.hit_tokens)) return {.seconds = compute_all};
  network_free_s_ = network_end;
  if (request.nvme_tokens > 0) nvme_free_s_ = nvme_end;
  return {.seconds = load + PrefillSeconds(request.hit_tokens, request.input_tokens), .loaded = true};
}

}  // namespace incipit::bench
