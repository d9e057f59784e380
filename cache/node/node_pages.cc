#include "cache/node/node_pages.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "cache/node/metrics.h"

namespace incipit {

void NodePages::Serving(Node* node) {
  const std::lock_guard<std::mutex> lock(mutex_);
  node_ = node;
  phase_ = NodePhase::kServing;
}

void NodePages::InCluster(std::function<ClusterGauges()> gauges) {
  const std::lock_guard<std::mutex> lock(mutex_);
  cluster_ = std::move(gauges);
}

std::optional<ClusterGauges> NodePages::Cluster() const {
  if (!cluster_) return std::nullopt;
  return cluster_();
}

void NodePages::Stopping() {
  const std::lock_guard<std::mutex> lock(mutex_);
  phase_ = NodePhase::kStopping;
}

void NodePages::Forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  node_ = nullptr;
  cluster_ = nullptr;
}

std::vector<HttpPage> NodePages::Pages() {
  return {{"/metrics", [this] { return Metrics(); }},
          {"/healthz", [] { return HttpResponse{.body = "ok\n"}; }},
          {"/readyz", [this] { return Ready(); }},
          {"/recording", nullptr, [this](uint64_t from) { return Recording(from); }}};
}

// One line of JSON with what to ask for next, then lines of a trace.
HttpResponse NodePages::Recording(uint64_t from) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (node_ == nullptr || node_->recorder() == nullptr) {
    return {.code = 404, .body = "nothing is recorded; start the node with --record-bytes\n"};
  }
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const RequestRecorder::Page page =
      node_->recorder()->PageFrom(from, std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return {.content_type = "application/x-ndjson",
          .body = absl::StrCat(R"({"next": )", page.next, R"(, "missed": )", page.missed, R"(, "partial": )",
                               page.partial, "}\n", page.lines)};
}

HttpResponse NodePages::Metrics() {
  MetricsInput input;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (node_ != nullptr) {
      input.node_name = node_->options().node_name;
      input.node_id = node_->identity().node_id;
      input.shards = node_->options().shards;
      input.reports = node_->Reports(kReportTimeoutMs);
    }
    input.cluster = Cluster();
  }
  input.process = ReadProcessUsage();
  return {.content_type = kMetricsContentType, .body = RenderMetrics(input)};
}

HttpResponse NodePages::Ready() {
  Readiness readiness;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool serving = phase_ == NodePhase::kServing && node_ != nullptr;
    const uint16_t shards = serving ? node_->options().shards : 0;
    readiness = JudgeReadiness(phase_, shards, serving ? node_->Reports(kReportTimeoutMs) : std::vector<ShardReport>(),
                               Cluster());
  }
  return {.code = readiness.ready ? 200 : 503, .content_type = "application/json", .body = readiness.json};
}

}  // namespace incipit
