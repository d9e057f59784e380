// What computing tokens costs, in FLOPs: the objective of policies and plans that value depth.
#pragma once

#include <cstdint>
#include <string_view>

namespace incipit {

// Prefill of the token at position p costs linear + attention * p. Thread safe.
struct CostModel {
  double linear_flops_per_token = 0;
  double attention_flops_per_token_and_depth = 0;

  // Of the tokens at [begin, end).
  double Flops(uint64_t begin, uint64_t end) const {
    const double from = static_cast<double>(begin);
    const double to = static_cast<double>(end);
    return linear_flops_per_token * (to - from) + attention_flops_per_token_and_depth * (to * to - from * from) / 2;
  }
  double FlopsAt(uint64_t depth_tokens) const {
    return linear_flops_per_token + attention_flops_per_token_and_depth * static_cast<double>(depth_tokens);
  }
  // Of a token at that depth against one at the beginning.
  double RelativeAt(uint64_t depth_tokens) const { return FlopsAt(depth_tokens) / FlopsAt(0); }
};

// The model behind a layout's name; that of the V3 class for names that are not known, with *known false.
CostModel CostModelOf(std::string_view layout_name, bool* known = nullptr);

}  // namespace incipit
