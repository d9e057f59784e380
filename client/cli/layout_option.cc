#include "client/cli/layout_option.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/layouts/layouts.h"

namespace incipit {
namespace {

constexpr char kCustomPrefix[] = "custom:";
constexpr uint32_t kCustomBlockTokens = 64;

absl::StatusOr<Layout> Custom(const std::string& text, uint32_t block_tokens) {
  const std::vector<std::string> sizes = absl::StrSplit(text.substr(sizeof(kCustomPrefix) - 1), 'x');
  uint32_t layers = 0, bytes = 0;
  if (sizes.size() != 2 || !absl::SimpleAtoi(sizes[0], &layers) || !absl::SimpleAtoi(sizes[1], &bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--layout ", text, ": write custom:LAYERSxBYTES, bytes per token and layer, e.g. custom:61x1152"));
  }
  return CustomLayout(layers, bytes, block_tokens == 0 ? kCustomBlockTokens : block_tokens);
}

}  // namespace

absl::StatusOr<Layout> LayoutOption::Resolve() const {
  absl::StatusOr<Layout> layout =
      name.rfind(kCustomPrefix, 0) == 0 ? Custom(name, block_tokens) : NamedLayout(name, block_tokens);
  if (layout.ok() || absl::StartsWith(layout.status().message(), "--layout")) return layout;
  return absl::Status(layout.status().code(), absl::StrCat("--layout ", name, ": ", layout.status().message()));
}

void AddLayoutOption(CLI::App* command, LayoutOption* option) {
  command
      ->add_option("--layout", option->name,
                   absl::StrCat("layout of the KV cache: ", absl::StrJoin(LayoutNames(), ", "),
                                ", or custom:LAYERSxBYTES (bytes per token and layer)"))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--block-tokens", option->block_tokens, "tokens of one block; default: usual for the layout")
      ->type_name("N");
}

}  // namespace incipit
