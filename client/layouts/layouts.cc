// Figures marked "published" are from model configurations and engine sources; "arithmetic" is computed here from
// published ones and has not been seen in an engine.
#include "client/layouts/layouts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

using Groups = std::vector<GroupSpec>;

GroupSpec All(std::string name, uint32_t block_tokens, uint32_t layers, uint32_t bytes_per_token) {
  return {.name = std::move(name), .block_tokens = block_tokens, .layers = layers, .bytes_per_entry = bytes_per_token};
}

// V3, R1, V3.1 and Kimi-K2. Published: 61 layers, latent 512 + rope 64 elements of 2 bytes.
Groups DeepSeekV3Bf16(uint32_t block_tokens) { return {All("latent", block_tokens, 61, (512 + 64) * 2)}; }

// Published row: 512 e4m3 + 4 scales fp32 + 64 rope bf16 = 656 bytes.
constexpr uint32_t kFp8LatentRow = 512 + 4 * 4 + 64 * 2;
Groups DeepSeekV3Fp8(uint32_t block_tokens) { return {All("latent", block_tokens, 61, kFp8LatentRow)}; }

// Published indexer: 128 fp8 keys + one fp32 scale a token. A page holds all its keys, then all its scales; the tier
// only sees the page. Two groups, so that a loader can bring the indexer first.
constexpr uint32_t kIndexerRow = 128 + 4;
Groups DeepSeekV32(uint32_t block_tokens) {
  return {All("latent", block_tokens, 61, kFp8LatentRow), All("indexer", block_tokens, 61, kIndexerRow)};
}

// V4 keeps, besides latents compressed 4:1 (CSA) and 128:1 (HCA), a window of uncompressed ones in every layer and the
// state of the compressors. All pages are padded to multiples of 576 bytes. Published: the row, the padding, ratios,
// window, and for Flash the sizes of vLLM's groups: 1,002,240 bytes of latent and indexer per 256 tokens; windows of
// 823,680 + 786,240 per 64; CSA state 870,912 per 4 tokens and HCA state 656,640 per 8.
constexpr uint32_t kV4Row = 448 + 128 + 8;  // e4m3 + rope bf16 + its share of the page's footer
constexpr uint32_t kV4Pad = 576;
constexpr uint32_t kV4CsaRatio = 4, kV4HcaRatio = 128, kV4Window = 128, kV4WindowBlock = 64;
// Arithmetic, and exact for both published sums: the state of one layer is 32,768 bytes padded to 32,832, a CSA layer
// has one of 8,192 padded to 8,640 for its indexer too.
constexpr uint32_t kV4LatentState = 32'832, kV4IndexerState = 8'640;

GroupSpec V4Compressed(std::string name, uint32_t block_tokens, uint32_t layers, uint32_t ratio, uint32_t row) {
  GroupSpec group = All(std::move(name), block_tokens, layers, row);
  group.tokens_per_entry = ratio;
  group.layer_align_bytes = kV4Pad;
  return group;
}

GroupSpec Checkpoint(std::string name, uint32_t block_tokens, uint32_t layers, uint32_t state_bytes) {
  GroupSpec group = All(std::move(name), block_tokens, layers, state_bytes);
  group.rule = HitRule::kCheckpoint;
  return group;
}

Groups DeepSeekV4(uint32_t block_tokens, uint32_t layers, uint32_t csa_layers, uint32_t hca_layers) {
  GroupSpec window = V4Compressed("window", kV4WindowBlock, layers, 1, kV4Row);
  window.rule = HitRule::kWindow;
  window.window_tokens = kV4Window;
  return {V4Compressed("csa-latent", block_tokens, csa_layers, kV4CsaRatio, kV4Row),
          V4Compressed("csa-indexer", block_tokens, csa_layers, kV4CsaRatio, kIndexerRow),
          V4Compressed("hca-latent", block_tokens, hca_layers, kV4HcaRatio, kV4Row),
          window,
          Checkpoint("csa-state", block_tokens, csa_layers, kV4LatentState + kV4IndexerState),
          Checkpoint("hca-state", block_tokens, hca_layers, kV4LatentState)};
}
// Published: 43 layers, of which 2 have only a window, 21 CSA, 20 HCA.
Groups DeepSeekV4Flash(uint32_t block_tokens) { return DeepSeekV4(block_tokens, 43, 21, 20); }
// Published: 61 layers, 30 CSA, 31 HCA. Arithmetic: its sizes, taking rows and states to be those of Flash.
Groups DeepSeekV4Pro(uint32_t block_tokens) { return DeepSeekV4(block_tokens, 61, 30, 31); }

// Published: 890 = 2.5 x (288 + 68) bytes a token; of 40 layers only four own KV. How those bytes divide among the four
// is not known: 445 bytes for two tokens in each layer is an average that gives the right block, 56,960 bytes for 64
// tokens. Its segments are therefore quarters of a block, not layers.
Groups DeepSeekV41Flash(uint32_t block_tokens) {
  GroupSpec group = All("latent", block_tokens, 4, 445);
  group.tokens_per_entry = 2;
  return {group};
}

// Published: 24 MLA layers without rope and 69 KDA layers. Arithmetic: 27,648 bytes a
// token, and a state of 6 MiB in each KDA layer, which gives the 434 MB of the whole. It is cut into seven parts.
Groups KimiK3(uint32_t block_tokens) {
  return {All("latent", block_tokens, 24, (512 + 64) * 2), Checkpoint("kda", block_tokens, 69, 6 << 20)};
}

// Published: 80 layers, keys and values of 8 heads x 128 elements bf16.
Groups Llama31(uint32_t block_tokens) { return {All("kv", block_tokens, 80, 2 * 8 * 128 * 2)}; }

struct Shipped {
  const char* name;
  uint32_t usual_block_tokens;
  uint32_t multiple;  // block_tokens is a multiple of it: the tokens that one entry covers
  Groups (*groups)(uint32_t block_tokens);
};
constexpr Shipped kShipped[] = {
    {"deepseek-v3-bf16", 64, 1, DeepSeekV3Bf16},
    {"deepseek-v3-fp8", 64, 1, DeepSeekV3Fp8},
    {"deepseek-v3.2", 64, 1, DeepSeekV32},
    {"deepseek-v4-flash", 256, kV4HcaRatio, DeepSeekV4Flash},
    {"deepseek-v4-pro", 256, kV4HcaRatio, DeepSeekV4Pro},
    {"deepseek-v4.1-flash", 64, 2, DeepSeekV41Flash},
    {"kimi-k3", 64, 1, KimiK3},
    {"llama-3.1-70b", 64, 1, Llama31},
};

absl::StatusOr<Layout> Validated(Layout layout) {
  RETURN_IF_ERROR(layout.Validate());
  return layout;
}

}  // namespace

std::vector<std::string> LayoutNames() {
  std::vector<std::string> names;
  for (const Shipped& shipped : kShipped) names.emplace_back(shipped.name);
  return names;
}

absl::StatusOr<Layout> NamedLayout(std::string_view name, uint32_t block_tokens) {
  for (const Shipped& shipped : kShipped) {
    if (name != shipped.name) continue;
    if (block_tokens == 0) block_tokens = shipped.usual_block_tokens;
    if (block_tokens % shipped.multiple != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("layout ", shipped.name, ": block_tokens is ", block_tokens, "; allowed: multiples of ",
                       shipped.multiple, ", the tokens that one entry covers; usual: ", shipped.usual_block_tokens));
    }
    return Validated({.name = shipped.name, .groups = shipped.groups(block_tokens)});
  }
  return absl::NotFoundError(absl::StrCat("no layout is named \"", std::string(name), "\"; known: ",
                                          absl::StrJoin(LayoutNames(), ", "), "; for others give a custom layout"));
}

absl::StatusOr<Layout> CustomLayout(uint32_t layers, uint32_t bytes_per_token_and_layer, uint32_t block_tokens) {
  return Validated({.name = "custom", .groups = {All("all", block_tokens, layers, bytes_per_token_and_layer)}});
}

}  // namespace incipit
