#include "bench/plan/sizing/plan_codec.h"

#include <fmt/format.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"

namespace incipit::bench {
namespace {

struct Known {
  const char* name;
  double ratio, decode_bytes_per_s, encode_bytes_per_s;
};

// As `incipit bench --op codec --codec NAME --data spread` measured them, one core of an EPYC on which a cold memcpy
// moves 8 to 10 GB/s. Latents of a small MLA model shrink as much by the first two: 1.45 and 1.49.
constexpr Known kCodecs[] = {
    {"raw", 1, 0, 0},
    {"bf16-lossless-fast", 1.45, 9.8e9, 4.8e9},
    {"bf16-lossless", 1.48, 9.3e9, 3.3e9},
    {"fp8-lossless", 1.21, 4.6e9, 1.9e9},
    {"fp8", 1152.0 / 656, 1.2e9, 0.45e9},
};

}  // namespace

std::vector<std::string> PlanCodecNames() {
  std::vector<std::string> names;
  for (const Known& known : kCodecs) names.emplace_back(known.name);
  return names;
}

absl::StatusOr<PlanCodec> PlanCodecOf(std::string_view name_or_ratio) {
  for (const Known& known : kCodecs) {
    if (name_or_ratio != known.name) continue;
    return PlanCodec{known.name, known.ratio, known.decode_bytes_per_s, known.encode_bytes_per_s};
  }
  double ratio = 0;
  const absl::string_view text(name_or_ratio.data(), name_or_ratio.size());
  if (absl::SimpleAtod(text, &ratio) && ratio >= 1 && ratio <= kMostCodecRatio) {
    return PlanCodec{.name = fmt::format("ratio {:g}", ratio), .ratio = ratio};
  }
  return absl::InvalidArgumentError(fmt::format("--codec {}: allowed: {}, or a ratio from 1 to {:g}", name_or_ratio,
                                                absl::StrJoin(PlanCodecNames(), ", "), kMostCodecRatio));
}

}  // namespace incipit::bench
