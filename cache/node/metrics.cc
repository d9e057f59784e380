#include "cache/node/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "absl/strings/str_split.h"
#include "cache/base/version.h"
#include "cache/node/metric_table.h"
#include "fmt/format.h"

namespace incipit {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr char kPrefix[] = "incipit_";
constexpr double kMicrosecondsPerSecond = 1e6;
constexpr char kOthers[] = "(others)";
constexpr int kCurveOctaves[] = {10, 12, 14, 16, 18, 20, 22, 24, 26, 28};  // sizes of tiers, in blocks

// Of shards: what each may take adds up to what the node may.
void AddQuota(uint64_t from, uint64_t* to) {
  if (from != kNoQuota) *to = (*to == kNoQuota ? 0 : *to) + from;
}

void Add(const TenantUsage& from, TenantUsage* to) {
  AddQuota(from.quota.ram_bytes, &to->quota.ram_bytes);
  AddQuota(from.quota.nvme_bytes, &to->quota.nvme_bytes);
  to->quota.cluster_ram_bytes = from.quota.cluster_ram_bytes;
  to->quota.cluster_nvme_bytes = from.quota.cluster_nvme_bytes;
  to->blocks += from.blocks;
  to->ram_bytes += from.ram_bytes;
  to->nvme_bytes += from.nvme_bytes;
  to->evicted_for_quota += from.evicted_for_quota;
  to->refused_for_quota += from.refused_for_quota;
  to->denied += from.denied;
}

Labels ShardLabels(uint16_t shard, const char* more) {
  Labels labels = {{"shard", fmt::format("{}", shard)}};
  for (const absl::string_view pair : absl::StrSplit(more, ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(pair, '=');
    labels.push_back({parts.first, parts.second});
  }
  return labels;
}

MetricFamily NewFamily(const std::string& name, const std::string& help, MetricType type) {
  MetricFamily family;
  family.name = kPrefix + name;
  family.help = help;
  family.type = type;
  return family;
}

void AddSample(MetricFamily* family, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (family->type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family->metric.push_back(std::move(metric));
}

// A family of one sample without labels of a shard.
void AddSingle(std::vector<MetricFamily>* families, const std::string& name, const std::string& help, MetricType type,
               double value, Labels labels = {}) {
  families->push_back(NewFamily(name, help, type));
  AddSample(&families->back(), std::move(labels), value);
}

void AddNode(const MetricsInput& input, std::vector<MetricFamily>* families) {
  AddSingle(families, "build_info", "Always 1; labels say which build runs.", MetricType::Gauge, 1,
            {{"version", BuildVersion()}, {"compiler", BuildCompiler()}, {"build_type", BuildType()}});
  AddSingle(families, "node_info", "Always 1; labels say which node this is.", MetricType::Gauge, 1,
            {{"node", input.node_name}, {"node_id", fmt::format("{:016x}", input.node_id)}});
  AddSingle(families, "process_cpu_seconds_total", "Processor time of all threads.", MetricType::Counter,
            input.process.cpu_s);
  AddSingle(families, "process_resident_bytes", "Memory of the process in RAM.", MetricType::Gauge,
            static_cast<double>(input.process.resident_bytes));
  AddSingle(families, "process_open_files", "File descriptors in use.", MetricType::Gauge,
            static_cast<double>(input.process.open_files));
  AddSingle(families, "process_start_time_seconds", "Start of the process, Unix time.", MetricType::Gauge,
            input.process.start_time_s);
  families->push_back(NewFamily("shard_up", "1 if the shard answered this scrape in time.", MetricType::Gauge));
  for (uint16_t shard = 0; shard < input.shards; ++shard) {
    const bool up = std::any_of(input.reports.begin(), input.reports.end(),
                                [&](const ShardReport& report) { return report.shard == shard; });
    AddSample(&families->back(), ShardLabels(shard, ""), up ? 1 : 0);
  }
}

void AddCluster(const ClusterGauges& cluster, std::vector<MetricFamily>* families) {
  const auto gauge = [&](const char* name, const char* help, double value) {
    AddSingle(families, name, help, MetricType::Gauge, value);
  };
  gauge("cluster_epoch", "Epoch of the cluster's map that this node has; 0 = none yet.",
        static_cast<double>(cluster.epoch));
  gauge("cluster_nodes", "Nodes of that map, those that are gone included.", static_cast<double>(cluster.nodes));
  gauge("cluster_nodes_serving", "Nodes of that map that own blocks.", static_cast<double>(cluster.nodes_serving));
  gauge("cluster_connected", "1 while the source of the map answers.", cluster.connected ? 1 : 0);
  gauge("cluster_joined", "1 while this node is registered with a lease, as far as it knows.", cluster.joined ? 1 : 0);
  gauge("cluster_renewed_seconds_ago", "Time since the lease was last renewed.", cluster.renewed_s_ago);
  AddSingle(families, "cluster_calls_total", "Calls of Redis by this node.", MetricType::Counter,
            static_cast<double>(cluster.calls));
  families->push_back(NewFamily("cluster_errors_total", "Failures to follow the map, by kind.", MetricType::Counter));
  for (const auto& [kind, count] : {std::pair{"unreachable", cluster.errors_unreachable},
                                    {"refused", cluster.errors_refused},
                                    {"other", cluster.errors_other},
                                    {"bad_record", cluster.bad_records}}) {
    AddSample(&families->back(), {{"kind", kind}}, static_cast<double>(count));
  }
}

void AddDrain(const ClusterGauges& cluster, std::vector<MetricFamily>* families) {
  const wire::DrainProgress& progress = cluster.drain_progress;
  const std::pair<const char*, wire::DrainCount> outcomes[] = {{"moved", progress.moved},
                                                               {"present", progress.present},
                                                               {"unwanted", progress.unwanted},
                                                               {"lost", progress.lost}};
  AddSingle(families, "drain_moving", "1 while this node gives its blocks away.", MetricType::Gauge,
            cluster.drain == wire::DrainStateName(wire::DrainState::kMoving) ? 1 : 0);
  AddSingle(families, "drain_blocks", "Blocks that the node had when its last drain began.", MetricType::Gauge,
            static_cast<double>(progress.total.blocks));
  families->push_back(NewFamily("drain_blocks_done", "Of those, by what became of them.", MetricType::Gauge));
  for (const auto& [outcome, count] : outcomes) {
    AddSample(&families->back(), {{"outcome", outcome}}, static_cast<double>(count.blocks));
  }
  families->push_back(NewFamily("drain_bytes_done", "The same in bytes.", MetricType::Gauge));
  for (const auto& [outcome, count] : outcomes) {
    AddSample(&families->back(), {{"outcome", outcome}}, static_cast<double>(count.bytes));
  }
}

void AddRows(const MetricsInput& input, std::vector<MetricFamily>* families) {
  for (const MetricRow& row : ShardMetricRows()) {
    if (row.help != nullptr) {
      families->push_back(
          NewFamily(row.family, row.help, row.kind == MetricKind::kCounter ? MetricType::Counter : MetricType::Gauge));
    }
    for (const ShardReport& report : input.reports) {
      AddSample(&families->back(), ShardLabels(report.shard, row.labels), static_cast<double>(row.value(report)));
    }
  }
}

ClientMetric::Histogram ToHistogram(const LatencyHistogram& latency) {
  ClientMetric::Histogram histogram;
  histogram.sample_count = latency.count;
  histogram.sample_sum = static_cast<double>(latency.sum_us) / kMicrosecondsPerSecond;
  uint64_t cumulative = 0;
  for (int i = 0; i < LatencyHistogram::kBuckets; ++i) {
    cumulative += latency.counts[i];
    const bool last = i + 1 == LatencyHistogram::kBuckets;
    const double bound_s = static_cast<double>(LatencyHistogram::UpperBoundUs(i)) / kMicrosecondsPerSecond;
    histogram.bucket.push_back({cumulative, last ? std::numeric_limits<double>::infinity() : bound_s});
  }
  return histogram;
}

void AddPagesAndLatencies(const MetricsInput& input, std::vector<MetricFamily>* families) {
  families->push_back(
      NewFamily("ram_pages_info", "Always 1; the kind of pages that the RAM tier got.", MetricType::Gauge));
  for (const ShardReport& report : input.reports) {
    Labels labels = ShardLabels(report.shard, "");
    labels.push_back({"kind", report.gauges.arena.page_kind});
    AddSample(&families->back(), std::move(labels), 1);
  }
  families->push_back(NewFamily("request_latency_seconds",
                                "Time from a request's arrival to its answer; refusal: of busy answers.",
                                MetricType::Histogram));
  for (const LatencyRow& row : ShardLatencyRows()) {
    for (const ShardReport& report : input.reports) {
      ClientMetric metric;
      metric.label = ShardLabels(report.shard, "");
      metric.label.push_back({"verb", row.verb});
      metric.histogram = ToHistogram(report.requests.*row.histogram);
      families->back().metric.push_back(std::move(metric));
    }
  }
}

// Adds up over shards, so that the number of series does not grow with them too. Only the tenants that hold most get
// series of their own: the rest share one.
std::vector<TenantReport> TenantsToShow(const std::vector<ShardReport>& reports) {
  std::map<std::string, TenantUsage> sums;
  for (const ShardReport& report : reports) {
    for (const TenantReport& tenant : report.tenants) Add(tenant.usage, &sums[tenant.name]);
  }
  std::vector<TenantReport> tenants;
  for (const auto& [name, usage] : sums) {
    if (!name.empty()) tenants.push_back({name, usage});
  }
  const auto held = [](const TenantReport& tenant) { return tenant.usage.ram_bytes + tenant.usage.nvme_bytes; };
  std::stable_sort(tenants.begin(), tenants.end(), [&](const auto& a, const auto& b) { return held(a) > held(b); });
  TenantReport others{.name = kOthers};
  for (size_t i = kMaxTenantSeries; i < tenants.size(); ++i) Add(tenants[i].usage, &others.usage);
  if (sums.contains("")) Add(sums[""], &others.usage);
  others.usage.quota = {};  // each has its own
  tenants.resize(std::min(tenants.size(), kMaxTenantSeries));
  if (!sums.empty()) tenants.push_back(others);
  return tenants;
}

void AddTenantQuotas(const std::vector<TenantReport>& tenants, std::vector<MetricFamily>* families) {
  struct Row {
    const char* family;
    const char* help;
    uint64_t TenantQuota::*value;
  };
  constexpr Row kRows[] = {
      {"tenant_ram_quota_bytes",
       "RAM of this node that a tenant's blocks may take now: its quota here, or this node's share of the cluster's.",
       &TenantQuota::ram_bytes},
      {"tenant_nvme_quota_bytes",
       "Bytes that a tenant's blocks on NVMe only may take now: its quota here, or this node's share of the cluster's.",
       &TenantQuota::nvme_bytes},
      {"tenant_cluster_ram_quota_bytes", "RAM of all nodes that a tenant's blocks may take, as configured here.",
       &TenantQuota::cluster_ram_bytes},
      {"tenant_cluster_nvme_quota_bytes",
       "Bytes that a tenant's blocks on NVMe only may take on all nodes, as configured here.",
       &TenantQuota::cluster_nvme_bytes},
  };
  for (const Row& row : kRows) {
    families->push_back(NewFamily(row.family, row.help, MetricType::Gauge));
    for (const TenantReport& tenant : tenants) {
      const uint64_t bytes = tenant.usage.quota.*row.value;
      if (bytes == kNoQuota) continue;
      AddSample(&families->back(), {{"tenant", tenant.name}}, static_cast<double>(bytes));
    }
  }
}

void AddTenants(const MetricsInput& input, std::vector<MetricFamily>* families) {
  struct Row {
    const char* family;
    MetricType type;
    const char* help;
    uint64_t TenantUsage::*value;
  };
  constexpr Row kTenantRows[] = {
      {"tenant_blocks", MetricType::Gauge, "Blocks of a tenant.", &TenantUsage::blocks},
      {"tenant_ram_bytes", MetricType::Gauge, "RAM that a tenant's blocks take.", &TenantUsage::ram_bytes},
      {"tenant_nvme_bytes", MetricType::Gauge, "Bytes of a tenant's blocks that are on NVMe only.",
       &TenantUsage::nvme_bytes},
      {"tenant_evicted_for_quota_total", MetricType::Counter, "Blocks that left RAM or NVMe for their tenant's quota.",
       &TenantUsage::evicted_for_quota},
      {"tenant_refused_for_quota_total", MetricType::Counter, "Blocks not stored because of their tenant's quota.",
       &TenantUsage::refused_for_quota},
      {"tenant_requests_denied_total", MetricType::Counter, "Requests that a tenant's roles and grants do not cover.",
       &TenantUsage::denied},
  };
  const std::vector<TenantReport> tenants = TenantsToShow(input.reports);
  for (const Row& row : kTenantRows) {
    families->push_back(NewFamily(row.family, row.help, row.type));
    for (const TenantReport& tenant : tenants) {
      AddSample(&families->back(), {{"tenant", tenant.name}}, static_cast<double>(tenant.usage.*row.value));
    }
  }
  AddTenantQuotas(tenants, families);
}

void Add(const NamespaceUsage& from, NamespaceUsage* to) {
  to->blocks += from.blocks;
  to->raw_bytes += from.raw_bytes;
  to->stored_bytes += from.stored_bytes;
}

// Adds up over shards, and over layouts of one name. Only the namespaces that hold most get series of their own.
std::vector<NamespaceReport> NamespacesToShow(const std::vector<ShardReport>& reports) {
  std::map<std::array<std::string, 3>, NamespaceUsage> sums;
  for (const ShardReport& report : reports) {
    for (const NamespaceReport& one : report.namespaces) Add(one.usage, &sums[{one.tenant, one.model, one.layout}]);
  }
  std::vector<NamespaceReport> shown;
  for (const auto& [names, usage] : sums) shown.push_back({names[0], names[1], names[2], usage});
  std::stable_sort(shown.begin(), shown.end(),
                   [](const auto& a, const auto& b) { return a.usage.stored_bytes > b.usage.stored_bytes; });
  if (shown.size() <= kMaxNamespaceSeries) return shown;
  NamespaceReport others{kOthers, kOthers, kOthers, {}};
  for (size_t i = kMaxNamespaceSeries; i < shown.size(); ++i) Add(shown[i].usage, &others.usage);
  shown.resize(kMaxNamespaceSeries);
  shown.push_back(others);
  return shown;
}

void AddNamespaces(const MetricsInput& input, std::vector<MetricFamily>* families) {
  struct Row {
    const char* family;
    const char* help;
    double (*value)(const NamespaceUsage& usage);
  };
  constexpr Row kRows[] = {
      {"namespace_blocks", "Blocks of a namespace, in either tier.",
       [](const NamespaceUsage& usage) { return static_cast<double>(usage.blocks); }},
      {"namespace_raw_bytes", "What a namespace's blocks are to their engines, before any codec.",
       [](const NamespaceUsage& usage) { return static_cast<double>(usage.raw_bytes); }},
      {"namespace_stored_bytes", "What a namespace's blocks are stored as, without their headers.",
       [](const NamespaceUsage& usage) { return static_cast<double>(usage.stored_bytes); }},
      {"namespace_codec_ratio", "Raw bytes by stored bytes of a namespace's blocks: 1 without a codec.",
       [](const NamespaceUsage& usage) {
         return static_cast<double>(usage.raw_bytes) / static_cast<double>(std::max<uint64_t>(usage.stored_bytes, 1));
       }},
  };
  const std::vector<NamespaceReport> namespaces = NamespacesToShow(input.reports);
  for (const Row& row : kRows) {
    families->push_back(NewFamily(row.family, row.help, MetricType::Gauge));
    for (const NamespaceReport& one : namespaces) {
      AddSample(&families->back(), {{"tenant", one.tenant}, {"model", one.model}, {"layout", one.layout}},
                row.value(one.usage));
    }
  }
}

// Blocks are spread evenly over shards, so what each would hit with its part of a size, all would hit with the whole.
void AddReuse(const MetricsInput& input, std::vector<MetricFamily>* families) {
  std::map<std::string, ReuseDistances> sums;
  for (const ShardReport& report : input.reports) {
    for (const ReuseReport& reuse : report.reuse) sums[reuse.tenant].Add(reuse.distances);
  }
  families->push_back(NewFamily("tenant_lru_hit_ratio",
                                "Of the blocks that a tenant's requests asked for of late, what a tier of so many "
                                "blocks for it alone would have hit by LRU; estimated from a sample.",
                                MetricType::Gauge));
  for (const auto& [tenant, distances] : sums) {
    if (distances.uses == 0) continue;
    for (const int octave : kCurveOctaves) {
      const double blocks = std::exp2(octave);
      AddSample(&families->back(),
                {{"tenant", tenant.empty() ? kOthers : tenant}, {"blocks", fmt::format("{:.0f}", blocks)}},
                distances.HitRatioAt(blocks / std::max<uint16_t>(1, input.shards)));
    }
  }
}

}  // namespace

std::string RenderMetrics(const MetricsInput& input) {
  std::vector<MetricFamily> families;
  AddNode(input, &families);
  if (input.cluster.has_value()) {
    AddCluster(*input.cluster, &families);
    AddDrain(*input.cluster, &families);
  }
  AddRows(input, &families);
  AddPagesAndLatencies(input, &families);
  AddTenants(input, &families);
  AddNamespaces(input, &families);
  AddReuse(input, &families);
  // A family without samples would be a lone header: a scrape during start or stop has no shards.
  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace incipit
