#include "client/cli/status_report.h"

#include <algorithm>
#include <string_view>

#include "client/cli/doctor/units.h"
#include "client/cli/text_table.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr const char* kNvmeStates[] = {"recovering", "serving", "suspended"};
constexpr const char* kErrorCounters[] = {
    "protocol_errors_total",     "request_errors_total",    "sessions_stalled_total",  "load_io_errors_total",
    "load_damaged_total",        "store_damaged_total",     "damaged_in_ram_total",    "damaged_on_nvme_total",
    "nvme_read_errors_total",    "nvme_write_errors_total", "nvme_flush_errors_total", "nvme_timeouts_total",
    "nvme_damaged_records_total"};

// Of the whole cluster: each shard tells the same.
bool IsOfCluster(const std::string& name) { return name.starts_with("tenant_cluster_"); }

double Ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// What a state means for the node as a whole: suspended is worse than recovering, which is worse than serving.
int Severity(uint64_t nvme_state) { return nvme_state == 1 ? 0 : nvme_state == 0 ? 1 : 2; }

std::string HexId(uint64_t id) { return fmt::format("{:016x}", id); }

std::vector<std::string> TableRow(const std::string& name, const StatusValues& values) {
  const bool has_nvme = values.Get("nvme_present") != 0;
  const uint64_t nvme_used = values.Get("nvme_valued_bytes") + values.Get("nvme_spare_bytes");
  return {name,
          fmt::format("{}", values.Get("sessions")),
          fmt::format("{}", values.Get("blocks")),
          FormatBytes(values.Get("ram_allocated_bytes")),
          FormatBytes(values.Get("ram_capacity_bytes")),
          fmt::format("{:.1f} %", 100 * values.RamWasteRatio()),
          has_nvme ? FormatBytes(nvme_used) : "-",
          has_nvme ? FormatBytes(values.Get("nvme_capacity_bytes")) : "-",
          values.NvmeState(),
          values.Get("match_keys_total") == 0 ? "-" : fmt::format("{:.1f} %", 100 * values.MatchHitRatio()),
          fmt::format("{}", values.Get("loads_total")),
          fmt::format("{}", values.Get("stores_total")),
          fmt::format("{}", values.Errors())};
}

std::string Traffic(const StatusValues& total) {
  std::string text;
  const auto get = [&](const char* name) { return total.Get(name); };
  text += fmt::format("matches   {} requests, {} keys: {} in RAM, {} on NVMe, {} not here\n", get("matches_total"),
                      get("match_keys_total"), get("match_hits_total") - get("match_hits_nvme_total"),
                      get("match_hits_nvme_total"), get("match_keys_total") - get("match_hits_total"));
  text += fmt::format("loads     {} blocks from RAM ({}), {} from NVMe ({}); {} not here, {} expired, {} busy\n",
                      get("load_hits_ram_total"), FormatBytes(get("load_bytes_ram_total")), get("load_hits_nvme_total"),
                      FormatBytes(get("load_bytes_nvme_total")), get("load_misses_total"), get("load_expired_total"),
                      get("loads_busy_total"));
  text += fmt::format(
      "stores    {} blocks ({}); {} already here, {} with other bytes, {} refused\n", get("blocks_stored_total"),
      FormatBytes(get("store_bytes_total")), get("blocks_already_present_total"), get("store_conflicts_total"),
      get("store_busy_total") + get("stores_shed_total") + get("store_rejected_total") + get("store_damaged_total"));
  text += fmt::format("evicted   {} from RAM, {} from NVMe; {} demoted, {} promoted\n", get("evicted_from_ram_total"),
                      get("evicted_from_nvme_total"), get("demoted_total"), get("promoted_total"));
  text += fmt::format("pinned    {} by {} leases\n", FormatBytes(get("pinned_bytes")), get("leases"));
  if (get("nvme_present") != 0) {
    text += fmt::format("nvme      {} regions free, {} open, {} sealed, {} in reclaim; {} written, {} read{}\n",
                        get("nvme_regions_free"), get("nvme_regions_open"), get("nvme_regions_sealed"),
                        get("nvme_regions_reclaiming"), FormatBytes(get("nvme_written_bytes_total")),
                        FormatBytes(get("nvme_read_bytes_total")),
                        get("recovered") != 0 ? "" : "; still indexing what was stored before the start");
  }
  return text;
}

std::string ErrorLines(const StatusValues& total) {
  std::string text;
  for (const char* name : kErrorCounters) {
    if (const uint64_t count = total.Get(name); count > 0) text += fmt::format("errors    {} {}\n", name, count);
  }
  if (total.NvmeState() == "suspended") {
    text +=
        "alarm     NVMe is out of service: loads are served from RAM only. The node's log and /readyz name the cause\n";
  }
  return text;
}

// What a node tells a tenant that may not see all of it.
std::string TenantLines(const StatusValues& total) {
  // " of 2 GiB; 6 GiB in the cluster".
  const auto of_quota = [&](const std::string& tier) {
    const std::string name = fmt::format("tenant_{}_quota_bytes", tier);
    const std::string cluster_name = fmt::format("tenant_cluster_{}_quota_bytes", tier);
    std::string text = total.Has(name) ? fmt::format(" of {}", FormatBytes(total.Get(name))) : "";
    if (total.Has(cluster_name)) text += fmt::format("; {} in the cluster", FormatBytes(total.Get(cluster_name)));
    return text;
  };
  return fmt::format("blocks    {} of this tenant; with the role admin the whole node is shown\n",
                     total.Get("tenant_blocks")) +
         fmt::format("RAM       {}{}\n", FormatBytes(total.Get("tenant_ram_bytes")), of_quota("ram")) +
         fmt::format("NVMe      {}{}\n", FormatBytes(total.Get("tenant_nvme_bytes")), of_quota("nvme")) +
         fmt::format("quota     {} evicted, {} refused; {} requests denied\n",
                     total.Get("tenant_evicted_for_quota_total"), total.Get("tenant_refused_for_quota_total"),
                     total.Get("tenant_requests_denied_total"));
}

}  // namespace

StatusValues::StatusValues(const ShardStats& shard) : values_(shard.values) {}

StatusValues StatusValues::TotalOf(const std::vector<ShardStats>& shards) {
  StatusValues total;
  for (const ShardStats& shard : shards) {
    const bool first = &shard == &shards.front();
    for (const auto& [name, value] : shard.values) {
      const auto found = std::find_if(total.values_.begin(), total.values_.end(),
                                      [&, &wanted = name](const auto& entry) { return entry.first == wanted; });
      if (found == total.values_.end()) {
        total.values_.emplace_back(name, value);
      } else if (name == "recovered") {
        if (!first) found->second = std::min(found->second, value);
      } else if (name == "nvme_present" || IsOfCluster(name)) {
        found->second = std::max(found->second, value);
      } else if (name == "nvme_state") {
        if (Severity(value) > Severity(found->second)) found->second = value;
      } else {
        found->second += value;
      }
    }
  }
  return total;
}

uint64_t StatusValues::Get(const std::string& name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return 0;
}

bool StatusValues::Has(const std::string& name) const {
  return std::any_of(values_.begin(), values_.end(), [&](const auto& value) { return value.first == name; });
}

bool StatusValues::IsOfTenantOnly() const { return Has("tenant_blocks") && !Has("blocks"); }

double StatusValues::MatchHitRatio() const { return Ratio(Get("match_hits_total"), Get("match_keys_total")); }

double StatusValues::RamWasteRatio() const {
  const uint64_t allocated = Get("ram_allocated_bytes"), requested = Get("ram_requested_bytes");
  return Ratio(allocated - std::min(allocated, requested), allocated);
}

uint64_t StatusValues::Errors() const {
  uint64_t errors = 0;
  for (const char* name : kErrorCounters) errors += Get(name);
  return errors;
}

std::string StatusValues::NvmeState() const {
  if (Get("nvme_present") == 0) return "none";
  const uint64_t state = Get("nvme_state");
  return state < std::size(kNvmeStates) ? kNvmeStates[state] : "unknown";
}

Json StatusValues::ToJson() const {
  Json json = Json::object();
  for (const auto& [name, value] : values_) {
    if (name == "nvme_state") {
      json[name] = NvmeState();
    } else if (name == "recovered" || name == "nvme_present") {
      json[name] = value != 0;
    } else {
      json[name] = value;
    }
  }
  json["match_hit_ratio"] = MatchHitRatio();
  json["ram_waste_ratio"] = RamWasteRatio();
  return json;
}

Json StatusJson(const std::string& address, const NodeInfo& node, const std::vector<ShardStats>& shards) {
  Json list = Json::array();
  for (const ShardStats& shard : shards) {
    Json entry = {{"shard", shard.shard}};
    entry.update(StatusValues(shard).ToJson());
    list.push_back(std::move(entry));
  }
  return {{"node",
           {{"address", address},
            {"name", node.name},
            {"node_id", HexId(node.node_id)},
            {"incarnation", HexId(node.incarnation)},
            {"shards", node.shard_count},
            {"shards_answering", shards.size()}}},
          {"shards", std::move(list)},
          {"total", StatusValues::TotalOf(shards).ToJson()}};
}

std::string StatusText(const std::string& address, const NodeInfo& node, const std::vector<ShardStats>& shards) {
  const StatusValues total = StatusValues::TotalOf(shards);
  std::string text =
      fmt::format("node {} at {}, id {}, {} shards", node.name, address, HexId(node.node_id), node.shard_count);
  if (shards.size() != node.shard_count) text += fmt::format(" of which only {} answer", shards.size());
  text += "\n\n";
  if (total.IsOfTenantOnly()) return text + TenantLines(total);
  TextTable table({"shard", "sessions", "blocks", "RAM used", "of", "waste", "NVMe used", "of", "state", "match hits",
                   "loads", "stores", "errors"});
  for (const ShardStats& shard : shards) table.AddRow(TableRow(fmt::format("{}", shard.shard), StatusValues(shard)));
  table.AddRow(TableRow("total", total));
  return text + table.Render() + "\n" + Traffic(total) + ErrorLines(total);
}

}  // namespace incipit
