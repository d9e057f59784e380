#include "cluster/membership/cluster_map.h"

#include <algorithm>
#include <iterator>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/base/defence.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr const char* kStateNames[] = {"joining", "serving", "draining", "gone"};
constexpr std::string_view kAfterLane = "://";

// The lane of a well-formed address, else nothing.
std::string_view LaneOf(std::string_view address) {
  const size_t at = address.find(kAfterLane);
  if (at == std::string_view::npos || at == 0 || at + kAfterLane.size() == address.size()) return {};
  const std::string_view lane = address.substr(0, at);
  const bool good = std::all_of(lane.begin(), lane.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  return good ? lane : std::string_view();
}

absl::Status CheckAddresses(const std::string& who, const std::vector<std::string>& addresses) {
  if (addresses.empty() || addresses.size() > kMaxNodeAddresses) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, ": ", addresses.size(), " addresses, allowed are 1 to ", kMaxNodeAddresses));
  }
  std::vector<std::string_view> lanes;
  for (const std::string& address : addresses) {
    const bool printable = std::all_of(address.begin(), address.end(), [](char c) {
      return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '"' && c != '\\';
    });
    const std::string_view lane = LaneOf(address);
    if (address.size() > kMaxNodeAddressBytes || !printable || lane.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(who, ": an address of ", address.size(),
                                                     " bytes is not lane://... in at most ", kMaxNodeAddressBytes,
                                                     " printable characters, quotes and backslashes excepted"));
    }
    if (std::find(lanes.begin(), lanes.end(), lane) != lanes.end()) {
      return absl::InvalidArgumentError(absl::StrCat(who, ": two addresses on lane ", std::string(lane)));
    }
    lanes.push_back(lane);
  }
  return absl::OkStatus();
}

}  // namespace

const char* NodeStateName(NodeState state) { return kStateNames[static_cast<size_t>(state)]; }

absl::StatusOr<NodeState> ParseNodeState(std::string_view name) {
  for (size_t i = 0; i < std::size(kStateNames); ++i) {
    if (name == kStateNames[i]) return static_cast<NodeState>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat("state of a node: found ", name.size(), " bytes that are none of ",
                                                 absl::StrJoin(kStateNames, ", ")));
}

std::string NodeIdText(uint64_t id) { return absl::StrCat(absl::Hex(id, absl::kZeroPad16)); }

std::string ClusterNode::AddressOn(std::string_view lane) const {
  for (const std::string& address : addresses) {
    if (LaneOf(address) == lane) return address;
  }
  return "";
}

const ClusterNode* ClusterMap::Find(uint64_t id) const {
  const auto found = std::lower_bound(nodes.begin(), nodes.end(), id,
                                      [](const ClusterNode& node, uint64_t wanted) { return node.id < wanted; });
  return found != nodes.end() && found->id == id ? &*found : nullptr;
}

bool IsNewerMap(const ClusterMap* held, const ClusterMap& offered) {
  if (held == nullptr) return true;
  return !INCIPIT_DEFENDED(kEpoch) || offered.epoch > held->epoch;
}

size_t LiveNodesOf(const ClusterMap& map) {
  return static_cast<size_t>(std::count_if(map.nodes.begin(), map.nodes.end(),
                                           [](const ClusterNode& node) { return node.state != NodeState::kGone; }));
}

bool IsPlainName(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

absl::Status CheckClusterNode(const ClusterNode& node) {
  const std::string who = absl::StrCat("node ", NodeIdText(node.id));
  if (node.weight < 1 || node.weight > kMaxNodeWeight) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, ": weight ", node.weight, ", allowed are 1 to ", kMaxNodeWeight));
  }
  if (node.shards < 1 || node.shards > kMaxClusterNodeShards) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, ": ", node.shards, " shards, allowed are 1 to ", kMaxClusterNodeShards));
  }
  if (node.zone.size() > kMaxZoneBytes || !IsPlainName(node.zone)) {
    return absl::InvalidArgumentError(absl::StrCat(who, ": its zone has ", node.zone.size(),
                                                   " bytes; allowed are 0 to ", kMaxZoneBytes,
                                                   " letters, digits, '.', '_' and '-'"));
  }
  return CheckAddresses(who, node.addresses);
}

absl::Status CheckClusterMap(const ClusterMap& map) {
  if (map.epoch < 1 || map.epoch > kMaxClusterEpoch) {
    return absl::InvalidArgumentError(absl::StrCat("cluster map: epoch ", map.epoch, ", allowed are 1 to 2^53 - 1"));
  }
  if (map.nodes.size() > kMaxClusterNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("cluster map: ", map.nodes.size(), " nodes, at most ", kMaxClusterNodes));
  }
  for (size_t i = 0; i < map.nodes.size(); ++i) {
    RETURN_IF_ERROR(CheckClusterNode(map.nodes[i]));
    if (i > 0 && map.nodes[i].id <= map.nodes[i - 1].id) {
      return absl::InvalidArgumentError(absl::StrCat("cluster map: node ", NodeIdText(map.nodes[i].id), " comes after ",
                                                     NodeIdText(map.nodes[i - 1].id), "; ids are unique and ascend"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ClusterPlacement> PlacementOver(const ClusterMap& map, std::vector<size_t>* owners) {
  owners->clear();
  std::vector<PlacementNode> nodes;
  absl::flat_hash_map<std::string, uint32_t> zones;
  for (size_t i = 0; i < map.nodes.size(); ++i) {
    const ClusterNode& node = map.nodes[i];
    if (node.state != NodeState::kServing) continue;
    uint32_t zone = 0;
    if (!node.zone.empty()) zone = zones.try_emplace(node.zone, static_cast<uint32_t>(zones.size() + 1)).first->second;
    nodes.push_back({node.id, node.weight, zone});
    owners->push_back(i);
  }
  if (nodes.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cluster map of epoch ", map.epoch, ": none of its ", map.nodes.size(), " nodes is serving"));
  }
  return ClusterPlacement::Make(map.placement_seed, map.epoch, nodes);
}

ShardMap ShardMapOf(const ClusterMap& map) {
  ShardMap result;
  result.epoch = map.epoch;
  for (const ClusterNode& node : map.nodes) {
    const std::string address = node.AddressOn("tcp");
    if (node.state != NodeState::kServing || address.empty()) continue;
    for (uint16_t shard = 0; shard < node.shards; ++shard) {
      result.shards.push_back({address.substr(sizeof("tcp://") - 1), shard});
    }
  }
  return result;
}

}  // namespace incipit
