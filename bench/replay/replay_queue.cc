#include "bench/replay/replay_queue.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace incipit::bench {
namespace {

constexpr auto kLongestSleep = std::chrono::milliseconds(50);
constexpr uint64_t kNsPerMs = 1'000'000;

}  // namespace

uint64_t ReplayQueue::SpanMs(const Trace& trace) {
  uint64_t first_ms = UINT64_MAX, last_ms = 0;
  for (const TraceRequest& request : trace.requests) {
    first_ms = std::min(first_ms, request.timestamp_ms);
    last_ms = std::max(last_ms, request.timestamp_ms);
  }
  return last_ms - std::min(first_ms, last_ms);
}

ReplayQueue::ReplayQueue(const Trace* trace, double speed, ReplayStamps stamps, uint64_t now_ns)
    : trace_(trace), speed_(speed) {
  if (stamps == ReplayStamps::kNow) return;
  uint64_t last_ms = 0;
  for (const TraceRequest& request : trace->requests) last_ms = std::max(last_ms, request.timestamp_ms);
  // Requests of one millisecond are told apart by nanoseconds, so that many of them stay in the past.
  const uint64_t end_ns = now_ns - std::min<uint64_t>(now_ns, trace->requests.size());
  uint64_t newest_ns = 0;
  for (const TraceRequest& request : trace->requests) {
    const uint64_t before_end_ns = std::min(end_ns, (last_ms - request.timestamp_ms) * kNsPerMs);
    newest_ns = std::max(newest_ns + 1, end_ns - before_end_ns);
    stamps_ns_.push_back(newest_ns);
  }
}

ReplayQueue::Taken ReplayQueue::Take() {
  const uint64_t index = next_.fetch_add(1);
  if (index >= trace_->requests.size()) return {};
  const TraceRequest& request = trace_->requests[index];
  if (speed_ > 0) {
    const uint64_t first_ms = trace_->requests.front().timestamp_ms;
    const double due_s =
        static_cast<double>(request.timestamp_ms - std::min(request.timestamp_ms, first_ms)) / 1e3 / speed_;
    for (double left_s = due_s; !stopped_ && left_s > 0; left_s = due_s - since_start_.Seconds()) {
      std::this_thread::sleep_for(
          std::min<std::chrono::duration<double>>(kLongestSleep, std::chrono::duration<double>(left_s)));
    }
  }
  if (stopped_) return {};
  return {&request, stamps_ns_.empty() ? 0 : stamps_ns_[index]};
}

uint64_t ReplayQueue::taken() const { return std::min<uint64_t>(next_.load(), trace_->requests.size()); }

}  // namespace incipit::bench
