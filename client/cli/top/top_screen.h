// One picture of `incipit top` as lines of text. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/cli/top/top_view.h"

namespace incipit {

struct ScreenSize {
  size_t columns = 0, rows = 0;  // 0 = no limit
};

// No line is longer than the screen is wide: columns that do not fit are left out, from the right. No more lines than
// fit: of long lists the rest is counted. ASCII alone, whatever the names in `view` are: nothing in them reaches a
// terminal as a command.
std::vector<std::string> TopLines(const TopView& view, const std::string& time, ScreenSize size);

// "0", "1.23 MB/s", "45.6 GB/s": three figures, decimal units, as networks are measured.
std::string FormatRate(double bytes_per_s);

}  // namespace incipit
