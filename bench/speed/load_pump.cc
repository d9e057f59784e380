#include "bench/speed/load_pump.h"

#include <algorithm>

#include "bench/common/stopwatch.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kLoadsPerCheck = 8;

uint64_t BusyReplies(std::span<const std::unique_ptr<Client>> clients) {
  uint64_t replies = 0;
  for (const std::unique_ptr<Client>& client : clients) replies += client->counters().busy_replies;
  return replies;
}

bool WasRefused(const LoadResult& result) {
  return std::any_of(result.status.begin(), result.status.end(),
                     [](BlockStatus status) { return status == BlockStatus::kBusy; });
}

}  // namespace

void PumpResult::Add(const PumpResult& other) {
  seconds = std::max(seconds, other.seconds);
  asked += other.asked;
  served += other.served;
  refused += other.refused;
  refused_by_node += other.refused_by_node;
  served_bytes += other.served_bytes;
  wrong_bytes += other.wrong_bytes;
  failures += other.failures;
  served_s += other.served_s;
}

PumpResult LoadPump::Run(std::span<const std::unique_ptr<Client>> clients, size_t at_once, int64_t pause_ns,
                         double seconds) {
  result_ = {};
  pause_ns_ = pause_ns;
  turn_ = 0;
  const size_t workers = clients.size();
  workers_.assign(workers, {});
  const int64_t start_ns = MonotonicNs();
  for (size_t i = 0; i < workers; ++i) {
    workers_[i].client = clients[i].get();
    workers_[i].next_ns =
        start_ns + pause_ns * static_cast<int64_t>(i) / static_cast<int64_t>(workers);  // not all at once
  }
  const uint64_t busy_before = BusyReplies(clients);
  const Stopwatch watch;
  while (watch.Seconds() < seconds) {
    const int64_t now_ns = MonotonicNs();
    for (size_t i = 0; i < workers && asking_ < at_once; ++i, turn_ = (turn_ + 1) % workers) {
      if (!workers_[turn_].waiting && now_ns >= workers_[turn_].next_ns) Ask(turn_);
    }
    PollWaiting();
  }
  PumpResult result = result_;  // what comes in later does not count
  result.refused_by_node = BusyReplies(clients) - busy_before;
  result.seconds = watch.Seconds();
  while (asking_ > 0) PollWaiting();
  result.wrong_bytes = result_.wrong_bytes;
  result.failures = result_.failures;
  return result;
}

void LoadPump::PollWaiting() {
  for (const Worker& worker : workers_) {
    if (worker.waiting) worker.client->Poll();
  }
}

void LoadPump::Ask(size_t index) {
  Worker& worker = workers_[index];
  worker.waiting = true;
  ++asking_;
  worker.asked_ns = MonotonicNs();
  worker.next_ns = worker.asked_ns + pause_ns_;
  ++result_.asked;
  const std::span<const PlannedBlock> blocks = NextBlocks();
  const uint64_t part = blocks_per_load_ * blocks[0].bytes;
  const MutableBytes into = buffer_.subspan(index * part, part);
  std::vector<LoadRequest> requests = PlanLoads(*set_, blocks, UINT64_MAX, into);
  worker.client->LoadAsync(std::move(requests[0]), [this, index, blocks, into](absl::StatusOr<LoadResult> result) {
    Answered(index, blocks, into, result);
  });
}

std::span<const PlannedBlock> LoadPump::NextBlocks() {
  if (next_ + blocks_per_load_ > set_->blocks.size()) next_ = 0;
  next_ += blocks_per_load_;
  return std::span(set_->blocks).subspan(next_ - blocks_per_load_, blocks_per_load_);
}

void LoadPump::Answered(size_t index, std::span<const PlannedBlock> blocks, ByteView into,
                        const absl::StatusOr<LoadResult>& result) {
  workers_[index].waiting = false;
  --asking_;
  if (!result.ok()) {
    ++result_.failures;
  } else if (WasRefused(*result)) {
    ++result_.refused;
  } else {
    result_.failures += result->status.size() - result->hits;
    // The client has compared every checksum; to compare all bytes again would make the worker the narrow place.
    if (result_.served % kLoadsPerCheck == 0) result_.wrong_bytes += CheckLoads(blocks, {*result}, into).wrong_bytes;
    result_.served_bytes += result->bytes;
    result_.served_s += static_cast<double>(MonotonicNs() - workers_[index].asked_ns) / 1e9;
    ++result_.served;
  }
}

}  // namespace incipit::bench
