#include "client/cli/cluster_status.h"

#include <algorithm>
#include <future>

#include "cache/base/status_macros.h"
#include "client/cli/doctor/units.h"
#include "client/cli/status_report.h"
#include "client/cli/text_table.h"
#include "client/layouts/layouts.h"
#include "fmt/format.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

constexpr char kLane[] = "tcp";

absl::StatusOr<SeedOptions> SeedOptionsOf(const ConnectOptions& options, std::vector<std::string> seeds) {
  SeedOptions result{.seeds = std::move(seeds),
                     .tenant = options.tenant,
                     .client_name = "incipit-status",
                     .timeout_ms = options.timeout_ms};
  if (options.secret_file.empty()) return result;
  ASSIGN_OR_RETURN(std::vector<uint8_t> secret, ReadSecret("--secret-file", options.secret_file));
  result.secret.assign(secret.begin(), secret.end());
  Wipe(secret.data(), secret.size());
  return result;
}

bool MayBeAsked(const ClusterNode& node) { return node.state != NodeState::kGone; }

std::string NodeName(const NodeReport& report) {
  return report.name.empty() ? NodeIdText(report.node.id) : report.name;
}

std::string QuotaOf(const StatusValues& values, const std::string& name) {
  return values.Has(name) ? FormatBytes(values.Get(name)) : "-";
}

// What the tenant has on all nodes that answer, of what it may have on all of them; empty if nodes show themselves.
std::string TenantInClusterText(const std::vector<NodeReport>& nodes) {
  uint64_t ram_bytes = 0, nvme_bytes = 0;
  StatusValues quotas = StatusValues::TotalOf({});
  for (const NodeReport& entry : nodes) {
    const StatusValues total = StatusValues::TotalOf(entry.shards);
    if (!total.IsOfTenantOnly()) continue;
    ram_bytes += total.Get("tenant_ram_bytes");
    nvme_bytes += total.Get("tenant_nvme_bytes");
    quotas = total;
  }
  if (!quotas.IsOfTenantOnly()) return "";
  return fmt::format(
      "\nonly this tenant's figures are shown; with the role admin it is those of the nodes. In all {} of {} RAM, {} "
      "of {} "
      "NVMe",
      FormatBytes(ram_bytes), QuotaOf(quotas, "tenant_cluster_ram_quota_bytes"), FormatBytes(nvme_bytes),
      QuotaOf(quotas, "tenant_cluster_nvme_quota_bytes"));
}

std::vector<std::string> Row(const NodeReport& report) {
  const ClusterNode& node = report.node;
  std::vector<std::string> row = {NodeName(report),
                                  NodeIdText(node.id),
                                  NodeStateName(node.state),
                                  node.zone.empty() ? "-" : node.zone,
                                  fmt::format("{}", node.weight),
                                  node.addresses.front()};
  if (!MayBeAsked(node) || !report.status.ok()) {
    row.push_back(MayBeAsked(node) ? "no" : "-");
    row.resize(row.size() + 6, "-");
    return row;
  }
  const StatusValues total = StatusValues::TotalOf(report.shards);
  if (total.IsOfTenantOnly()) {
    row.insert(row.end(),
               {"yes", fmt::format("{}", total.Get("tenant_blocks")), FormatBytes(total.Get("tenant_ram_bytes")),
                QuotaOf(total, "tenant_ram_quota_bytes"), FormatBytes(total.Get("tenant_nvme_bytes")), "-", "-"});
    return row;
  }
  const bool has_nvme = total.Get("nvme_present") != 0;
  for (std::string cell :
       {std::string("yes"), fmt::format("{}", total.Get("blocks")), FormatBytes(total.Get("ram_allocated_bytes")),
        FormatBytes(total.Get("ram_capacity_bytes")),
        has_nvme ? FormatBytes(total.Get("nvme_valued_bytes") + total.Get("nvme_spare_bytes")) : std::string("-"),
        total.Get("match_keys_total") == 0 ? std::string("-") : fmt::format("{:.1f} %", 100 * total.MatchHitRatio()),
        fmt::format("{}", total.Errors())}) {
    row.push_back(std::move(cell));
  }
  return row;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterObserver>> ClusterObserver::Connect(const ConnectOptions& options) {
  std::unique_ptr<ClusterObserver> observer(new ClusterObserver(options));
  ASSIGN_OR_RETURN(SeedOptions seeds, SeedOptionsOf(options, options.cluster));
  ASSIGN_OR_RETURN(observer->membership_, SeedMembership::Start(std::move(seeds)));
  RETURN_IF_ERROR(observer->membership_->WaitForMap(options.timeout_ms).status());
  return observer;
}

absl::StatusOr<Client*> ClusterObserver::ClientAt(const std::string& address) {
  std::unique_ptr<Client>& client = clients_[address];
  if (client != nullptr) return client.get();
  ClientOptions options;
  options.address = address;
  options.tenant = options_.tenant;
  options.secret_file = options_.secret_file;
  options.model = "incipit-status";  // a session has a namespace; this one stays empty
  ASSIGN_OR_RETURN(options.layout, CustomLayout(1, 1, 1));
  options.client_name = "incipit-status";
  options.connect_lazily = true;
  options.connect_timeout_ms = options_.timeout_ms;
  options.default_deadline_ms = options_.timeout_ms;
  ASSIGN_OR_RETURN(client, Client::Connect(std::move(options)));
  return client.get();
}

ClusterReport ClusterObserver::Look() {
  ClusterReport report;
  report.map = membership_->Map();
  std::vector<std::future<absl::StatusOr<std::vector<ShardStats>>>> answers(report.map->nodes.size());
  for (size_t i = 0; i < report.map->nodes.size(); ++i) {
    NodeReport& entry = report.nodes.emplace_back();
    entry.node = report.map->nodes[i];
    if (!MayBeAsked(entry.node)) continue;
    entry.address = entry.node.AddressOn(kLane);
    absl::StatusOr<Client*> client =
        entry.address.empty() ? absl::UnavailableError("no address on lane tcp") : ClientAt(entry.address);
    if (client.ok()) {
      answers[i] = std::async(std::launch::async, [raw = *client] { return raw->Stats(); });
    } else {
      entry.status = client.status();
    }
  }
  for (size_t i = 0; i < report.nodes.size(); ++i) {
    if (!answers[i].valid()) continue;
    NodeReport& entry = report.nodes[i];
    absl::StatusOr<std::vector<ShardStats>> stats = answers[i].get();
    entry.status = stats.status();
    if (!stats.ok()) continue;
    entry.shards = *std::move(stats);
    entry.name = clients_[entry.address]->node().name;
  }
  return report;
}

Json ClusterStatusJson(const ClusterReport& report) {
  Json nodes = Json::array();
  for (const NodeReport& entry : report.nodes) {
    Json node = {{"id", NodeIdText(entry.node.id)},
                 {"name", entry.name},
                 {"state", NodeStateName(entry.node.state)},
                 {"weight", entry.node.weight},
                 {"zone", entry.node.zone},
                 {"incarnation", NodeIdText(entry.node.incarnation)},
                 {"shards", entry.node.shards},
                 {"addresses", entry.node.addresses},
                 {"answers", !entry.shards.empty()}};
    if (!entry.status.ok()) node["error"] = std::string(entry.status.message());
    if (!entry.shards.empty()) node["total"] = StatusValues::TotalOf(entry.shards).ToJson();
    nodes.push_back(std::move(node));
  }
  return {{"epoch", report.map->epoch}, {"nodes", std::move(nodes)}};
}

std::string ClusterStatusText(const ClusterReport& report) {
  const auto serving = std::count_if(report.nodes.begin(), report.nodes.end(),
                                     [](const NodeReport& entry) { return entry.node.state == NodeState::kServing; });
  std::string text = fmt::format("cluster at epoch {}: {} nodes, {} of them serving\n\n", report.map->epoch,
                                 report.nodes.size(), serving);
  TextTable table({"node", "id", "state", "zone", "weight", "address", "answers", "blocks", "RAM used", "of",
                   "NVMe used", "match hits", "errors"});
  for (const NodeReport& entry : report.nodes) table.AddRow(Row(entry));
  text += table.Render() + TenantInClusterText(report.nodes);
  for (const NodeReport& entry : report.nodes) {
    if (!entry.status.ok()) text += fmt::format("\n{}: {}", NodeName(entry), std::string(entry.status.message()));
  }
  return text + "\n";
}

namespace {

struct PlaceInMap {
  size_t serving = 0;
  std::string state = "absent";
};

PlaceInMap FindPlace(const ClusterMap& map, uint64_t node_id, const std::string& address) {
  PlaceInMap place;
  for (const ClusterNode& node : map.nodes) {
    if (node.state == NodeState::kServing) ++place.serving;
    const bool named = std::find(node.addresses.begin(), node.addresses.end(), address) != node.addresses.end();
    if (node.id == node_id || (named && place.state == "absent")) place.state = NodeStateName(node.state);
  }
  return place;
}

}  // namespace

Json NodeInMapJson(const ClusterMap& map, uint64_t node_id, const std::string& address) {
  const PlaceInMap place = FindPlace(map, node_id, address);
  return {{"epoch", map.epoch}, {"nodes", map.nodes.size()}, {"nodes_serving", place.serving}, {"state", place.state}};
}

std::string NodeInMapText(const ClusterMap& map, uint64_t node_id, const std::string& address) {
  const PlaceInMap place = FindPlace(map, node_id, address);
  return fmt::format("cluster   epoch {}: {} nodes, {} serving; this node is {}\n", map.epoch, map.nodes.size(),
                     place.serving, place.state);
}

std::shared_ptr<const ClusterMap> MapOfNode(const ConnectOptions& options) {
  absl::StatusOr<SeedOptions> seeds = SeedOptionsOf(options, {options.address});
  if (!seeds.ok()) return nullptr;
  const absl::StatusOr<std::unique_ptr<SeedMembership>> membership = SeedMembership::Start(*std::move(seeds));
  if (!membership.ok()) return nullptr;
  const absl::StatusOr<std::shared_ptr<const ClusterMap>> map = (*membership)->WaitForAnswer(options.timeout_ms);
  return map.ok() ? *map : nullptr;
}

}  // namespace incipit
