#include "cache/node/readiness.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "fmt/format.h"

namespace incipit {
namespace {

using Json = nlohmann::ordered_json;

const char* NvmeStateName(const StoreGauges& gauges) {
  if (!gauges.has_nvme) return "none";
  switch (gauges.nvme.state) {
    case NvmeState::kRecovering:
      return "recovering";
    case NvmeState::kServing:
      return "serving";
    case NvmeState::kSuspended:
      return "suspended";
  }
  return "unknown";
}

Json ShardJson(const ShardReport& report) {
  const StoreGauges& gauges = report.gauges;
  return {{"shard", report.shard},
          {"answers", true},
          {"recovered", gauges.recovered},
          {"recovered_records", gauges.nvme.recovered_records},
          {"blocks", gauges.blocks},
          {"nvme", NvmeStateName(gauges)},
          {"nvme_last_error", gauges.nvme.last_error}};
}

// The trouble of one shard, if any, into reasons and status; worse ones replace lesser ones.
void JudgeShard(const ShardReport& report, Readiness* readiness) {
  const StoreGauges& gauges = report.gauges;
  if (gauges.has_nvme && gauges.nvme.state == NvmeState::kSuspended) {
    readiness->status = "degraded";
    readiness->reasons.push_back(
        fmt::format("shard {}: NVMe is out of service, RAM is served: {}", report.shard, gauges.nvme.last_error));
    return;
  }
  if (gauges.recovered) return;
  if (readiness->status == "serving") readiness->status = "recovering";
  readiness->reasons.push_back(
      fmt::format("shard {}: indexing NVMe, {} records found so far", report.shard, gauges.nvme.recovered_records));
}

void JudgeShards(uint16_t shards, const std::vector<ShardReport>& reports, Readiness* readiness, Json* list) {
  bool stuck = false;
  for (uint16_t shard = 0; shard < shards; ++shard) {
    const auto found =
        std::find_if(reports.begin(), reports.end(), [&](const ShardReport& report) { return report.shard == shard; });
    if (found != reports.end()) {
      JudgeShard(*found, readiness);
      list->push_back(ShardJson(*found));
      continue;
    }
    stuck = true;
    readiness->reasons.push_back(fmt::format("shard {}: does not answer", shard));
    list->push_back({{"shard", shard}, {"answers", false}});
  }
  if (stuck) readiness->status = "stuck";
  readiness->ready = !stuck;
}

Json ClusterJson(const ClusterGauges& cluster) {
  return {{"source", cluster.source},        {"epoch", cluster.epoch},
          {"nodes", cluster.nodes},          {"nodes_serving", cluster.nodes_serving},
          {"state", cluster.state},          {"connected", cluster.connected},
          {"joined", cluster.joined},        {"renewed_seconds_ago", cluster.renewed_s_ago},
          {"last_error", cluster.last_error}};
}

void JudgeCluster(const ClusterGauges& cluster, Readiness* readiness) {
  if (cluster.fenced) {
    readiness->ready = false;
    readiness->status = "fenced";
    readiness->reasons.push_back("another process is this node of the cluster: " + cluster.last_error);
  } else if (!cluster.connected) {
    readiness->reasons.push_back("the cluster's map does not follow changes, the last one stands: " +
                                 cluster.last_error);
  }
}

}  // namespace

Readiness JudgeReadiness(NodePhase phase, uint16_t shards, const std::vector<ShardReport>& reports,
                         const std::optional<ClusterGauges>& cluster) {
  Readiness readiness;
  Json list = Json::array();
  if (phase == NodePhase::kServing) {
    readiness.status = "serving";
    JudgeShards(shards, reports, &readiness, &list);
  } else {
    readiness.status = phase == NodePhase::kStarting ? "starting" : "stopping";
  }
  if (cluster.has_value()) JudgeCluster(*cluster, &readiness);
  Json json = {{"ready", readiness.ready},
               {"status", readiness.status},
               {"reasons", readiness.reasons},
               {"shards", std::move(list)}};
  if (cluster.has_value()) json["cluster"] = ClusterJson(*cluster);
  readiness.json = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return readiness;
}

}  // namespace incipit
