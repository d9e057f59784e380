// What a codec of the clients does to a tier: smaller blocks, for time of the engines' processors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::bench {

// Plain data. Rates are in raw bytes a second of one core; 0 = it takes no time.
struct PlanCodec {
  std::string name = "raw";
  double ratio = 1;  // raw bytes over stored bytes, at least 1
  double decode_bytes_per_s = 0;
  double encode_bytes_per_s = 0;

  bool codes() const { return ratio > 1 || decode_bytes_per_s > 0 || encode_bytes_per_s > 0; }
  // Cores that are busy with so many raw bytes a second loaded and stored, on average.
  double Cores(double loaded_bytes_per_s, double stored_bytes_per_s) const {
    const double decoding = decode_bytes_per_s > 0 ? loaded_bytes_per_s / decode_bytes_per_s : 0;
    const double encoding = encode_bytes_per_s > 0 ? stored_bytes_per_s / encode_bytes_per_s : 0;
    return decoding + encoding;
  }
};

inline constexpr double kMostCodecRatio = 100;

// Those of the client, by the names that it knows. Sources beside each in plan_codec.cc. Thread safe.
std::vector<std::string> PlanCodecNames();
// A name, or a ratio from 1 to kMostCodecRatio, which takes no time unless told otherwise. InvalidArgument lists what
// is allowed.
absl::StatusOr<PlanCodec> PlanCodecOf(std::string_view name_or_ratio);

}  // namespace incipit::bench
