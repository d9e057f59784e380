// The layouts shipped by name: what an engine passes when it opens a namespace for a known model. Pure functions,
// thread safe. Dimensions and their sources stand beside each in layouts.cc; changing one changes the fingerprint, so
// engines of both releases no longer share blocks: add a new name instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/layout.h"

namespace incipit {

// Names in the order of the table: deepseek-v3-bf16, deepseek-v3-fp8, deepseek-v3.2, deepseek-v4-flash,
// deepseek-v4-pro, deepseek-v4.1-flash, kimi-k3, llama-3.1-70b.
std::vector<std::string> LayoutNames();

// The named layout at an engine block size. `block_tokens` of 0 takes the layout's usual one (64, or 256 for the
// latent groups of V4, whose window group keeps blocks of 64). It must be a multiple of what one entry covers: 128 for
// V4, 2 for V4.1, 1 otherwise. NotFound lists the known names; InvalidArgument if the block size does not suit.
absl::StatusOr<Layout> NamedLayout(std::string_view name, uint32_t block_tokens = 0);

// "custom": one kAll group of `layers` x `bytes_per_token_and_layer`. InvalidArgument if a size is out of range.
absl::StatusOr<Layout> CustomLayout(uint32_t layers, uint32_t bytes_per_token_and_layer, uint32_t block_tokens);

}  // namespace incipit
