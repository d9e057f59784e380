#include "eviction/cost_model.h"

namespace incipit {
namespace {

// The linear part is twice the parameters that a token activates. Attention of MLA, computed in the latent space, grows
// by 4 x heads x layers x (latent + rope / 2) FLOPs with each token of depth; a sparse indexer lowers that about five
// times. V3: 37e9 active; 5.0e6 measured for prefill that expands the latents.
struct Named {
  std::string_view prefix;
  CostModel model;
};
constexpr CostModel kV3 = {74e9, 5.0e6};
constexpr Named kModels[] = {
    {"deepseek-v3.2", {74e9, 1.0e6}},    // V3 with sparse attention
    {"deepseek-v3", kV3},                // and R1, V3.1
    {"deepseek-v4", {26e9, 0.5e6}},      // estimate: 13e9 active, compressed and sparse
    {"kimi-k3", {64e9, 1.6e6}},          // estimate: 32e9 active; 24 of 93 layers attend
    {"llama-3.1-70b", {141e9, 2.62e6}},  // 70.6e9; 4 x 80 layers x 8192
};

}  // namespace

CostModel CostModelOf(std::string_view layout_name, bool* known) {
  for (const Named& named : kModels) {
    if (!layout_name.starts_with(named.prefix)) continue;
    if (known != nullptr) *known = true;
    return named.model;
  }
  if (known != nullptr) *known = false;
  return kV3;
}

}  // namespace incipit
