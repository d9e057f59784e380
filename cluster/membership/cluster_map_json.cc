#include "cluster/membership/cluster_map_json.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "incipit-cluster-map";

absl::Status Wrong(const std::string& where, const char* field, const std::string& allowed) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": field \"", field, "\": ", allowed));
}

// `field` of `object` as a number of at most `max`; `otherwise` if it is not there.
absl::StatusOr<uint64_t> Number(const std::string& where, const json& object, const char* field, uint64_t otherwise,
                                uint64_t max) {
  const auto found = object.find(field);
  if (found == object.end()) return otherwise;
  if (!found->is_number_unsigned() || found->get<uint64_t>() > max) {
    return Wrong(where, field, absl::StrCat("a whole number of at most ", max, " is expected"));
  }
  return found->get<uint64_t>();
}

absl::StatusOr<std::string> Text(const std::string& where, const json& object, const char* field, size_t max_bytes) {
  const auto found = object.find(field);
  if (found == object.end()) return std::string();
  if (!found->is_string() || found->get_ref<const std::string&>().size() > max_bytes) {
    return Wrong(where, field, absl::StrCat("text of at most ", max_bytes, " bytes is expected"));
  }
  return found->get<std::string>();
}

// Bytes of exactly 2 * out.size() hexadecimal digits.
absl::Status HexBytes(const std::string& where, const json& object, const char* field, MutableBytes out) {
  ASSIGN_OR_RETURN(const std::string text, Text(where, object, field, 2 * out.size()));
  const bool hex = std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isxdigit(c); });
  if (text.size() != 2 * out.size() || !hex) {
    return Wrong(where, field, absl::StrCat(2 * out.size(), " hexadecimal digits are expected"));
  }
  const std::string bytes = absl::HexStringToBytes(text);
  std::memcpy(out.data(), bytes.data(), out.size());
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> HexNumber(const std::string& where, const json& object, const char* field) {
  std::array<uint8_t, 8> bytes{};
  RETURN_IF_ERROR(HexBytes(where, object, field, bytes));
  uint64_t number = 0;
  for (const uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

json JsonOf(const ClusterNode& node) {
  return {{"id", NodeIdText(node.id)},
          {"incarnation", NodeIdText(node.incarnation)},
          {"state", NodeStateName(node.state)},
          {"weight", node.weight},
          {"zone", node.zone},
          {"shards", node.shards},
          {"addresses", node.addresses}};
}

absl::StatusOr<ClusterNode> NodeOf(const std::string& where, const json& object) {
  if (!object.is_object()) return absl::InvalidArgumentError(where + ": an object is expected");
  ClusterNode node;
  ASSIGN_OR_RETURN(node.id, HexNumber(where, object, "id"));
  if (object.contains("incarnation")) {
    ASSIGN_OR_RETURN(node.incarnation, HexNumber(where, object, "incarnation"));
  }
  if (object.contains("state")) {
    ASSIGN_OR_RETURN(const std::string state, Text(where, object, "state", 16));
    ASSIGN_OR_RETURN(node.state, ParseNodeState(state));
  }
  ASSIGN_OR_RETURN(const uint64_t weight, Number(where, object, "weight", 1, kMaxNodeWeight));
  node.weight = static_cast<uint32_t>(weight);
  ASSIGN_OR_RETURN(node.zone, Text(where, object, "zone", kMaxZoneBytes));
  ASSIGN_OR_RETURN(const uint64_t shards, Number(where, object, "shards", 0, kMaxClusterNodeShards));
  node.shards = static_cast<uint16_t>(shards);
  const auto addresses = object.find("addresses");
  if (addresses == object.end() || !addresses->is_array() || addresses->size() > kMaxNodeAddresses) {
    return Wrong(where, "addresses", absl::StrCat("a list of 1 to ", kMaxNodeAddresses, " texts is expected"));
  }
  for (const json& address : *addresses) {
    if (!address.is_string()) return Wrong(where, "addresses", "a list of texts is expected");
    node.addresses.push_back(address.get<std::string>());
  }
  RETURN_IF_ERROR(CheckClusterNode(node));
  return node;
}

// The object in `text`, if that is JSON of at most `max_bytes`.
absl::StatusOr<json> ObjectOf(const char* what, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(what, " of ", text.size(), " bytes, at most ", max_bytes));
  }
  json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError(absl::StrCat(what, ": not a JSON object"));
  return object;
}

}  // namespace

std::string EncodeClusterNode(const ClusterNode& node) { return JsonOf(node).dump(); }

std::string EncodeClusterMap(const ClusterMap& map) {
  json object = {{"format", kFormat},
                 {"version", kClusterMapVersion},
                 {"epoch", map.epoch},
                 {"placement_seed", absl::BytesToHexString({reinterpret_cast<const char*>(map.placement_seed.data()),
                                                            map.placement_seed.size()})},
                 {"nodes", json::array()}};
  for (const ClusterNode& node : map.nodes) object["nodes"].push_back(JsonOf(node));
  return object.dump();
}

absl::StatusOr<ClusterNode> DecodeClusterNode(std::string_view text) {
  ASSIGN_OR_RETURN(const json object, ObjectOf("record of a node", text, kMaxClusterNodeBytes));
  return NodeOf("record of a node", object);
}

absl::StatusOr<ClusterMap> DecodeClusterMap(std::string_view text) {
  const std::string where = "cluster map";
  ASSIGN_OR_RETURN(const json object, ObjectOf("cluster map", text, kMaxClusterMapBytes));
  ASSIGN_OR_RETURN(const std::string format, Text(where, object, "format", 64));
  if (format != kFormat) return Wrong(where, "format", absl::StrCat("\"", kFormat, "\" is expected"));
  ASSIGN_OR_RETURN(const uint64_t version, Number(where, object, "version", 0, UINT64_MAX));
  if (version != kClusterMapVersion) {
    return absl::FailedPreconditionError(absl::StrCat("cluster map: version ", version, ", this build knows ",
                                                      kClusterMapVersion, "; use a release that knows it"));
  }
  ClusterMap map;
  ASSIGN_OR_RETURN(map.epoch, Number(where, object, "epoch", 1, kMaxClusterEpoch));
  RETURN_IF_ERROR(HexBytes(where, object, "placement_seed", map.placement_seed));
  const auto nodes = object.find("nodes");
  if (nodes == object.end() || !nodes->is_array() || nodes->size() > kMaxClusterNodes) {
    return Wrong(where, "nodes", absl::StrCat("a list of at most ", kMaxClusterNodes, " nodes is expected"));
  }
  for (size_t i = 0; i < nodes->size(); ++i) {
    ASSIGN_OR_RETURN(ClusterNode node, NodeOf(absl::StrCat("cluster map, node ", i), (*nodes)[i]));
    map.nodes.push_back(std::move(node));
  }
  std::sort(map.nodes.begin(), map.nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  RETURN_IF_ERROR(CheckClusterMap(map));
  return map;
}

}  // namespace incipit
