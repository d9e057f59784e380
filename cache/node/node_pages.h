// What a node shows over HTTP: /metrics, /healthz, /readyz, /recording. Also before it serves and while it stops.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "cache/node/http_server.h"
#include "cache/node/node.h"
#include "cache/node/readiness.h"

namespace incipit {

// Owner: the process; outlives the HttpServer that shows its pages. Any thread.
//
// /healthz is 200 while the process can answer at all: restart it if it is not. /readyz is 200 while the node serves,
// also with NVMe out of service, and 503 otherwise; its body says why. No page waits for a shard for longer than
// kReportTimeoutMs, and none takes more of a shard's time than copying its counters.
class NodePages {
 public:
  static constexpr int64_t kReportTimeoutMs = 1000;

  // The node must outlive the pages, or Forget() must be called first.
  void Serving(Node* node);
  // Where the pages learn of the node's cluster; what it refers to must outlive the pages, or Forget() be called first.
  void InCluster(std::function<ClusterGauges()> gauges);
  // Readiness falls at once; metrics go on.
  void Stopping();
  // Waits for answers that use the node.
  void Forget();

  // Pages that refer to this object.
  std::vector<HttpPage> Pages();

 private:
  HttpResponse Metrics();
  HttpResponse Ready();
  std::optional<ClusterGauges> Cluster() const;  // under mutex_
  HttpResponse Recording(uint64_t from);

  std::mutex mutex_;  // held while the node is used, so that Forget() means what it says
  NodePhase phase_ = NodePhase::kStarting;
  Node* node_ = nullptr;
  std::function<ClusterGauges()> cluster_;  // empty: it is in none
};

}  // namespace incipit
