// Sizes as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_format.h"

namespace incipit {

// "256 MiB", "1.5 GiB", "512 bytes": three figures at most, binary units.
inline std::string FormatBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return absl::StrFormat("%d bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.3g %s", value, kUnits[unit]);
}

}  // namespace incipit
