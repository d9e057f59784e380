#include "client/cli/top/top_view.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "absl/strings/strip.h"
#include "client/cli/status_report.h"

namespace incipit {
namespace {

// Counters begin anew with a node's process.
uint64_t Since(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

std::optional<double> RatioOf(uint64_t part, uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

Json JsonOf(const std::optional<double>& value) { return value.has_value() ? Json(*value) : Json(nullptr); }

// Numbers of one tenant at one node.
struct TenantCounts {
  uint64_t blocks = 0, stored_bytes = 0, match_keys = 0, match_hits = 0, load_bytes = 0;
};

std::map<std::string, TenantCounts> CountsOf(const NodeSample& sample) {
  std::map<std::string, TenantCounts> counts;
  for (const wire::Activity& shard : sample.activity) {
    for (const wire::ActiveNamespace& one : shard.namespaces) {
      TenantCounts& sum = counts[one.tenant];
      sum.blocks += one.blocks;
      sum.stored_bytes += one.stored_bytes;
      sum.match_keys += one.match_keys;
      sum.match_hits += one.match_hits;
      sum.load_bytes += one.load_bytes;
    }
  }
  return counts;
}

// The same node in the other look, if the same shards answered both times; else null.
const NodeSample* Earlier(const ClusterSample& before, const NodeSample& now) {
  for (const NodeSample& node : before.nodes) {
    if (node.node.id != now.node.id) continue;
    const bool same = std::equal(node.shards.begin(), node.shards.end(), now.shards.begin(), now.shards.end(),
                                 [](const ShardStats& a, const ShardStats& b) { return a.shard == b.shard; });
    return same ? &node : nullptr;
  }
  return nullptr;
}

// As it calls itself; where it is, as long as it has not answered.
std::string NameOf(const NodeSample& sample) {
  if (!sample.name.empty()) return sample.name;
  if (sample.node.addresses.empty()) return NodeIdText(sample.node.id);
  return std::string(absl::StripPrefix(sample.node.addresses.front(), "tcp://"));
}

void AddLevels(const StatusValues& values, NodeView* view) {
  view->ram_bytes = values.Get("ram_allocated_bytes");
  view->ram_capacity_bytes = values.Get("ram_capacity_bytes");
  view->nvme_bytes = values.Get("nvme_valued_bytes") + values.Get("nvme_spare_bytes");
  view->nvme_capacity_bytes = values.Get("nvme_capacity_bytes");
  view->nvme_state = values.NvmeState();
  view->blocks = values.Get("blocks");
  view->sessions = values.Get("sessions");
  view->errors = values.Errors();
  view->matched.keys_ever = values.Get("match_keys_total");
  view->matched.hits_ever = values.Get("match_hits_total");
}

void AddRates(const StatusValues& before, const StatusValues& now, double seconds, NodeView* view) {
  const auto since = [&](const char* name) { return Since(before.Get(name), now.Get(name)); };
  const auto rate = [&](uint64_t count) { return static_cast<double>(count) / seconds; };
  view->matched.keys = since("match_keys_total");
  view->matched.hits = since("match_hits_total");
  view->keys_per_s = rate(view->matched.keys);
  view->load_bytes_per_s = rate(since("load_bytes_ram_total") + since("load_bytes_nvme_total"));
  view->store_bytes_per_s = rate(since("store_bytes_total"));
  view->busy_per_s = rate(since("loads_busy_total") + since("store_busy_total") + since("stores_shed_total"));
}

NodeView ViewOf(const NodeSample& sample, const NodeSample* earlier, double seconds) {
  NodeView view;
  view.id = NodeIdText(sample.node.id);
  view.name = NameOf(sample);
  view.state = NodeStateName(sample.node.state);
  view.address = sample.node.addresses.empty() ? "" : sample.node.addresses.front();
  view.answers = !sample.shards.empty();
  if (!view.answers) {
    view.error = std::string(sample.status.message());
    return view;
  }
  const StatusValues values = StatusValues::TotalOf(sample.shards);
  view.whole = values.Has("blocks");
  AddLevels(values, &view);
  if (earlier != nullptr) AddRates(StatusValues::TotalOf(earlier->shards), values, seconds, &view);
  return view;
}

void Add(const NodeView& node, NodeView* total) {
  total->answers = true;
  total->whole |= node.whole;
  for (const auto member :
       {&NodeView::ram_bytes, &NodeView::ram_capacity_bytes, &NodeView::nvme_bytes, &NodeView::nvme_capacity_bytes,
        &NodeView::blocks, &NodeView::sessions, &NodeView::errors}) {
    total->*member += node.*member;
  }
  for (const auto member :
       {&NodeView::load_bytes_per_s, &NodeView::store_bytes_per_s, &NodeView::keys_per_s, &NodeView::busy_per_s}) {
    total->*member += node.*member;
  }
  total->matched.Add(node.matched);
}

void AddTenants(const NodeSample& sample, const NodeSample* earlier, double seconds,
                std::map<std::string, TenantView>* tenants) {
  const std::map<std::string, TenantCounts> before =
      earlier == nullptr ? std::map<std::string, TenantCounts>() : CountsOf(*earlier);
  for (const auto& [name, counts] : CountsOf(sample)) {
    TenantView& view = (*tenants)[name];
    view.tenant = name;
    view.blocks += counts.blocks;
    view.stored_bytes += counts.stored_bytes;
    HitCounts matched{.keys_ever = counts.match_keys, .hits_ever = counts.match_hits};
    if (earlier != nullptr) {
      const auto found = before.find(name);
      const TenantCounts old = found == before.end() ? TenantCounts() : found->second;
      matched.keys = Since(old.match_keys, counts.match_keys);
      matched.hits = Since(old.match_hits, counts.match_hits);
      view.keys_per_s += static_cast<double>(matched.keys) / seconds;
      view.load_bytes_per_s += static_cast<double>(Since(old.load_bytes, counts.load_bytes)) / seconds;
    }
    view.matched.Add(matched);
  }
}

void AddBlocks(const NodeSample& sample, std::vector<SeenBlock>* blocks) {
  for (const wire::Activity& shard : sample.activity) {
    for (const wire::HottestBlock& block : shard.hottest) {
      const wire::ActiveNamespace& one = shard.namespaces[block.name_space];
      blocks->push_back({one.tenant, one.model, NameOf(sample), block});
    }
  }
}

Json NodeJson(const NodeView& node) {
  return {{"ram", {{"used_bytes", node.ram_bytes}, {"capacity_bytes", node.ram_capacity_bytes}}},
          {"nvme",
           {{"used_bytes", node.nvme_bytes}, {"capacity_bytes", node.nvme_capacity_bytes}, {"state", node.nvme_state}}},
          {"blocks", node.blocks},
          {"sessions", node.sessions},
          {"errors", node.errors},
          {"load_bytes_per_s", node.load_bytes_per_s},
          {"store_bytes_per_s", node.store_bytes_per_s},
          {"match_keys_per_s", node.keys_per_s},
          {"busy_per_s", node.busy_per_s},
          {"match_hit_ratio", JsonOf(node.matched.Ratio())},
          {"match_hit_ratio_ever", JsonOf(node.matched.RatioEver())}};
}

}  // namespace

void HitCounts::Add(const HitCounts& other) {
  keys += other.keys;
  hits += other.hits;
  keys_ever += other.keys_ever;
  hits_ever += other.hits_ever;
}

std::optional<double> HitCounts::Ratio() const { return RatioOf(hits, keys); }
std::optional<double> HitCounts::RatioEver() const { return RatioOf(hits_ever, keys_ever); }

TopView MakeTopView(const ClusterSample& before, const ClusterSample& now) {
  TopView view;
  view.epoch = now.epoch;
  view.seconds = std::chrono::duration<double>(now.at - before.at).count();
  const double seconds = std::max(view.seconds, 1e-9);
  view.total.name = "total";
  std::map<std::string, TenantView> tenants;
  std::vector<SeenBlock> blocks;
  for (const NodeSample& sample : now.nodes) {
    if (sample.node.state == NodeState::kGone) continue;
    const NodeSample* earlier = Earlier(before, sample);
    view.nodes.push_back(ViewOf(sample, earlier, seconds));
    if (view.nodes.back().answers) Add(view.nodes.back(), &view.total);
    AddTenants(sample, earlier, seconds, &tenants);
    AddBlocks(sample, &blocks);
  }
  std::stable_sort(view.nodes.begin(), view.nodes.end(),
                   [](const NodeView& a, const NodeView& b) { return a.name < b.name; });
  for (auto& [name, tenant] : tenants) view.tenants.push_back(std::move(tenant));
  std::stable_sort(view.tenants.begin(), view.tenants.end(), [](const TenantView& a, const TenantView& b) {
    return std::tuple(a.keys_per_s, a.matched.keys_ever) > std::tuple(b.keys_per_s, b.matched.keys_ever);
  });
  view.prefixes = HottestPrefixes(blocks);
  return view;
}

Json TopJson(const TopView& view) {
  Json nodes = Json::array(), tenants = Json::array(), prefixes = Json::array();
  for (const NodeView& node : view.nodes) {
    Json one = {{"id", node.id},
                {"name", node.name},
                {"state", node.state},
                {"address", node.address},
                {"answers", node.answers}};
    if (!node.answers) one["error"] = node.error;
    if (node.answers) one.update(NodeJson(node));
    nodes.push_back(std::move(one));
  }
  for (const TenantView& tenant : view.tenants) {
    tenants.push_back({{"tenant", tenant.tenant},
                       {"blocks", tenant.blocks},
                       {"stored_bytes", tenant.stored_bytes},
                       {"load_bytes_per_s", tenant.load_bytes_per_s},
                       {"match_keys_per_s", tenant.keys_per_s},
                       {"match_hit_ratio", JsonOf(tenant.matched.Ratio())},
                       {"match_hit_ratio_ever", JsonOf(tenant.matched.RatioEver())}});
  }
  for (const HotPrefix& prefix : view.prefixes) {
    prefixes.push_back({{"key_start", prefix.key_start},
                        {"tenant", prefix.tenant},
                        {"model", prefix.model},
                        {"tokens", prefix.tokens},
                        {"blocks", prefix.blocks},
                        {"load_bytes_per_s", prefix.bytes_per_s},
                        {"copies", prefix.copies},
                        {"nodes", prefix.nodes}});
  }
  return {{"epoch", view.epoch},           {"interval_s", view.seconds},    {"nodes", std::move(nodes)},
          {"total", NodeJson(view.total)}, {"tenants", std::move(tenants)}, {"hottest_prefixes", std::move(prefixes)}};
}

}  // namespace incipit
