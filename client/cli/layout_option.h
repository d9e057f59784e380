// Which layout of the KV cache a command works with.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cache/format/layout.h"

namespace incipit {

struct LayoutOption {
  std::string name = "deepseek-v4.1-flash";
  uint32_t block_tokens = 0;  // 0 = the layout's usual block

  // A shipped layout by name, or "custom:LAYERSxBYTES": one group of LAYERS layers with BYTES bytes per token and
  // layer. NotFound and InvalidArgument name the flag and what is allowed.
  absl::StatusOr<Layout> Resolve() const;
};

// Adds --layout and --block-tokens.
void AddLayoutOption(CLI::App* command, LayoutOption* option);

}  // namespace incipit
