#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <iterator>

#include "client/layouts/layouts.h"
#include "client/python/src/bind.h"
#include "client/python/src/errors.h"

namespace incipit::python {
namespace {

constexpr const char* kRules[] = {"all", "window", "checkpoint"};  // by HitRule

HitRule ToRule(const std::string& name) {
  const auto* const found = std::find(std::begin(kRules), std::end(kRules), name);
  if (found != std::end(kRules)) return static_cast<HitRule>(found - std::begin(kRules));
  Raise(ErrorKind::kInvalidArgument,
        fmt::format("Group: rule: expected 'all', 'window' or 'checkpoint', found '{}'", name));
}

const char* RuleName(const GroupSpec& group) { return kRules[static_cast<size_t>(group.rule)]; }

Layout Checked(Layout layout) {
  const absl::Status status = layout.Validate();
  if (!status.ok()) RaiseStatus(status);
  return layout;
}

GroupSpec MakeGroup(std::string name, const std::string& rule, uint32_t window_tokens, uint32_t block_tokens,
                    uint32_t layers, uint32_t tokens_per_entry, uint32_t bytes_per_entry, uint32_t layer_align_bytes,
                    uint32_t segments) {
  GroupSpec group{.name = std::move(name),
                  .rule = ToRule(rule),
                  .window_tokens = window_tokens,
                  .block_tokens = block_tokens,
                  .layers = layers,
                  .tokens_per_entry = tokens_per_entry,
                  .bytes_per_entry = bytes_per_entry,
                  .layer_align_bytes = layer_align_bytes,
                  .segments = segments};
  // Its computed sizes are defined for valid groups only.
  return Checked({.name = "group", .groups = {std::move(group)}}).groups[0];
}

Layout Named(const std::string& name, uint32_t block_tokens) {
  absl::StatusOr<Layout> layout = NamedLayout(name, block_tokens);
  if (!layout.ok()) RaiseStatus(layout.status());
  return *std::move(layout);
}

nb::bytes FingerprintOf(const Layout& layout) {
  const LayoutFingerprint fingerprint = layout.Fingerprint();
  return nb::bytes(fingerprint.data(), fingerprint.size());
}

void BindGroup(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<GroupSpec>(module, "Group", nb::is_final(),
                        "Layers of a model that share block size, entry size and hit rule. Immutable.\n\n"
                        "A block holds block_tokens / tokens_per_entry entries for each of its layers (one entry for\n"
                        "rule 'checkpoint'), each layer padded to layer_align_bytes, cut into `segments` equal pieces.")
      .def(
          "__init__",
          [](GroupSpec* self, std::string name, const std::string& rule, uint32_t window_tokens, uint32_t block_tokens,
             uint32_t layers, uint32_t tokens_per_entry, uint32_t bytes_per_entry, uint32_t layer_align_bytes,
             uint32_t segments) {
            new (self) GroupSpec(MakeGroup(std::move(name), rule, window_tokens, block_tokens, layers, tokens_per_entry,
                                           bytes_per_entry, layer_align_bytes, segments));
          },
          nb::sig("def __init__(self, name: str, rule: typing.Literal['all', 'window', 'checkpoint'] = 'all', *, "
                  "window_tokens: int = 0, block_tokens: int = 64, layers: int = 1, tokens_per_entry: int = 1, "
                  "bytes_per_entry: int, layer_align_bytes: int = 1, segments: int = 0) -> None"),
          "name"_a, "rule"_a = "all", nb::kw_only(), "window_tokens"_a = 0, "block_tokens"_a = 64, "layers"_a = 1,
          "tokens_per_entry"_a = 1, "bytes_per_entry"_a, "layer_align_bytes"_a = 1, "segments"_a = 0,
          "segments=0 means one per layer. InvalidArgument names the field that is out of range and what is allowed.")
      .def_ro("name", &GroupSpec::name, "Unique in its layout.")
      .def_prop_ro("rule", &RuleName, "Which blocks a restore needs: 'all', 'window' or 'checkpoint'.")
      .def_ro("window_tokens", &GroupSpec::window_tokens, "Length of the window; 0 unless rule is 'window'.")
      .def_ro("block_tokens", &GroupSpec::block_tokens, "Tokens that one block covers.")
      .def_ro("layers", &GroupSpec::layers, "Layers in one block.")
      .def_ro("tokens_per_entry", &GroupSpec::tokens_per_entry, "Tokens that one entry covers.")
      .def_ro("bytes_per_entry", &GroupSpec::bytes_per_entry, "Bytes of one entry of one layer.")
      .def_ro("layer_align_bytes", &GroupSpec::layer_align_bytes, "A layer's bytes are padded to a multiple of it.")
      .def_prop_ro("segment_count", &GroupSpec::SegmentCount, "Separately readable pieces of a block.")
      .def_prop_ro("segment_bytes", &GroupSpec::SegmentBytes, "Bytes of one segment.")
      .def_prop_ro("block_bytes", &GroupSpec::BlockBytes, "Bytes of a whole block: segment_count * segment_bytes.")
      .def(
          "__eq__", [](const GroupSpec& a, const GroupSpec& b) { return a == b; }, nb::is_operator(),
          "Whether all fields are equal.")
      .def("__repr__", [](const GroupSpec& group) {
        return fmt::format("Group('{}', '{}', block_tokens={}, layers={}, block_bytes={})", group.name, RuleName(group),
                           group.block_tokens, group.layers, group.BlockBytes());
      });
}

}  // namespace

void BindLayout(nb::module_& module) {
  using namespace nb::literals;
  BindGroup(module);
  nb::class_<Layout>(module, "Layout", nb::is_final(),
                     "What a model's KV cache looks like: its groups. Part of every block's identity. Immutable.\n\n"
                     "Made by Layout.named() or Layout.custom().")
      .def_static("named", &Named, "name"_a, "block_tokens"_a = 0,
                  "A layout that is shipped. block_tokens=0 takes its usual block size.\n\n"
                  "InvalidArgument: the name is not known (the message lists those that are), or the block size does\n"
                  "not suit.")
      .def_static("names", &LayoutNames, "Names of the layouts that are shipped.")
      .def_static(
          "custom",
          [](std::string name, std::vector<GroupSpec> groups) {
            return Checked({.name = std::move(name), .groups = std::move(groups)});
          },
          "name"_a, "groups"_a,
          "A layout of one to 16 groups. The name is part of its fingerprint.\n\nInvalidArgument: no or too many "
          "groups, "
          "two of one name.")
      .def_ro("name", &Layout::name, "Its name, part of the fingerprint.")
      .def_ro("groups", &Layout::groups, nb::rv_policy::copy, "The groups, in the order that group indices mean.")
      .def_prop_ro("restore_step_tokens", &Layout::RestoreStepTokens,
                   "Tokens between two lengths at which all groups can be restored.")
      .def_prop_ro("bytes_per_token", &Layout::BytesPerToken,
                   "Bytes a token takes in the groups that grow with context.")
      .def(
          "encode",
          [](const Layout& layout) {
            const std::vector<uint8_t> bytes = layout.Encode();
            return nb::bytes(bytes.data(), bytes.size());
          },
          "Canonical bytes: two layouts are the same exactly if these are.")
      .def("fingerprint", &FingerprintOf, "SHA-256 of encode(): 32 bytes.")
      .def(
          "__eq__", [](const Layout& a, const Layout& b) { return a == b; }, nb::is_operator(),
          "Whether name and groups are equal.")
      .def("__repr__", [](const Layout& layout) {
        return fmt::format("Layout('{}', {} groups)", layout.name, layout.groups.size());
      });
}

}  // namespace incipit::python
