#include "bench/replay/replay_worker.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/common/block_set.h"
#include "bench/common/payload.h"
#include "bench/common/stopwatch.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr uint32_t kDeadlineMs = 60'000;        // a replay measures; it does not give up where an engine would
constexpr uint32_t kClusterDeadlineMs = 5'000;  // nodes go away while it runs
constexpr uint32_t kLeaseMs = 60'000;
constexpr int kStoreTries = 50;
constexpr auto kStorePause = std::chrono::milliseconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<ReplayWorker>> ReplayWorker::Create(ClientOptions options,
                                                                   const std::vector<std::string>& seeds,
                                                                   uint64_t longest_chain, uint32_t interval_ms) {
  std::unique_ptr<ReplayWorker> worker(new ReplayWorker());
  worker->group_ = options.layout.groups[0];
  worker->fingerprint_ = options.layout.Fingerprint();
  worker->block_bytes_ = worker->group_.BlockBytes();
  worker->window_blocks_ =
      std::clamp<uint64_t>(kWindowBytes / worker->block_bytes_, 1, std::max<uint64_t>(longest_chain, 1));
  worker->buffer_.resize(worker->window_blocks_ * worker->block_bytes_);
  worker->interval_ms_ = interval_ms;
  worker->deadline_ms_ = seeds.empty() ? kDeadlineMs : kClusterDeadlineMs;
  worker->of_cluster_ = !seeds.empty();
  if (worker->of_cluster_) {
    options.address = ClusterAddress(seeds);
    options.progress = Progress::kThread;
  }
  ASSIGN_OR_RETURN(worker->client_, Client::Connect(std::move(options)));
  return worker;
}

absl::Status ReplayWorker::Run(ReplayQueue* queue) {
  for (ReplayQueue::Taken taken = queue->Take(); taken.request != nullptr; taken = queue->Take()) {
    const uint64_t wrong_before = counts_.wrong_bytes;
    // One stamp for all calls: what they touch ages together.
    const absl::Status status = Handle(*taken.request, taken.stamp_ns != 0 ? taken.stamp_ns : client_->NewStamp());
    if (!status.ok() && !of_cluster_) return status;
    counts_.failed_requests += status.ok() ? 0 : 1;
    if (interval_ms_ == 0) continue;
    const auto index = static_cast<size_t>(queue->SecondsSinceStart() * 1000 / interval_ms_);
    if (counts_.intervals.size() <= index) counts_.intervals.resize(index + 1);
    ReplayInterval& interval = counts_.intervals[index];
    interval.wrong_bytes += counts_.wrong_bytes - wrong_before;
    if (status.ok()) {
      interval.hits.Add(*taken.request, request_hits_, group_.block_tokens);
      interval.present_blocks += request_present_;
      interval.latency_us.Add(request_us_);
    } else {
      ++interval.failed_requests;
    }
  }
  return absl::OkStatus();
}

absl::Status ReplayWorker::Handle(const TraceRequest& request, uint64_t stamp_ns) {
  blocks_.clear();
  std::vector<BlockKey> keys;
  for (const uint64_t id : request.ids) {
    keys.push_back(SyntheticKey(0, id));
    blocks_.push_back({keys.back(), PayloadSeed(fingerprint_, 0, keys.back().bytes())});
  }
  request_us_ = 0;
  uint64_t run = 0;
  Lease lease;
  {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(
        MatchResult match,
        client_->Match(
            {.groups = {KeyList(keys)}, .stamp_ns = stamp_ns, .lease_ms = kLeaseMs, .deadline_ms = deadline_ms_}));
    const double us = watch.Microseconds();
    counts_.match_us.Add(us);
    request_us_ += us;
    // Of a cluster some node may be away: its blocks are misses.
    if (!match.complete && !of_cluster_)
      return absl::UnavailableError("a shard did not answer a match within a minute");
    const std::vector<Presence>& presence = match.presence[0];
    while (run < presence.size() && presence[run] != Presence::kMiss) ++run;
    request_present_ = presence.size() - static_cast<size_t>(std::ranges::count(presence, Presence::kMiss));
    lease = std::move(match.lease);
  }
  ASSIGN_OR_RETURN(const uint64_t hits, LoadLeadingRun(run, stamp_ns));
  lease.Release();
  RETURN_IF_ERROR(StoreFrom(hits, stamp_ns));
  request_hits_ = hits;
  counts_.hits.Add(request, hits, group_.block_tokens);
  counts_.latency_us.Add(request_us_);
  return absl::OkStatus();
}

// Loads and verifies blocks [0, run). Gives how many arrived before the first that did not.
absl::StatusOr<uint64_t> ReplayWorker::LoadLeadingRun(uint64_t run, uint64_t stamp_ns) {
  for (uint64_t first = 0; first < run; first += window_blocks_) {
    const uint64_t count = std::min(window_blocks_, run - first);
    LoadRequest request{.stamp_ns = stamp_ns, .deadline_ms = deadline_ms_};
    for (uint64_t i = 0; i < count; ++i) {
      request.items.push_back({.group = 0,
                               .depth_tokens = DepthOf(first + i),
                               .key = blocks_[first + i].key.bytes(),
                               .buffer = {BufferOf(i), block_bytes_}});
    }
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const LoadResult result, client_->Load(std::move(request)));
    const double us = watch.Microseconds();
    counts_.load_us.Add(us);
    request_us_ += us;
    uint64_t first_missing = count;
    for (uint64_t i = 0; i < count; ++i) {
      if (result.status[i] != BlockStatus::kOk) {
        ++counts_.vanished_blocks;
        first_missing = std::min(first_missing, i);
        continue;
      }
      ++counts_.loaded_blocks;
      if (result.tier[i] == Presence::kNvme) ++counts_.loaded_blocks_nvme;
      counts_.loaded_bytes += block_bytes_;
      counts_.wrong_bytes += CountWrongBytes(blocks_[first + i].seed, 0, {BufferOf(i), block_bytes_});
    }
    if (first_missing < count) return first + first_missing;
  }
  return run;
}

absl::Status ReplayWorker::StoreFrom(uint64_t first, uint64_t stamp_ns) {
  for (; first < blocks_.size(); first += window_blocks_) {
    RETURN_IF_ERROR(StoreWindow(first, std::min<uint64_t>(window_blocks_, blocks_.size() - first), stamp_ns));
  }
  return absl::OkStatus();
}

absl::Status ReplayWorker::StoreWindow(uint64_t first, uint64_t count, uint64_t stamp_ns) {
  std::vector<StoreItem> items;
  for (uint64_t i = 0; i < count; ++i) {
    FillPayload(blocks_[first + i].seed, 0, {BufferOf(i), block_bytes_});
    items.push_back({.group = 0,
                     .depth_tokens = DepthOf(first + i),
                     .key = blocks_[first + i].key.bytes(),
                     .buffer = {BufferOf(i), block_bytes_}});
  }
  for (int tries = 0; tries < kStoreTries && !items.empty(); ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kStorePause);
    const Stopwatch watch;
    absl::StatusOr<StatusResult> result =
        client_->Store({.items = items, .stamp_ns = stamp_ns, .deadline_ms = deadline_ms_});
    // The node that owns all of these is away: they are not stored, as a shard's that is busy are not.
    if (of_cluster_ && absl::IsUnavailable(result.status())) break;
    if (!result.ok()) return result.status();
    const double us = watch.Microseconds();
    counts_.store_us.Add(us);
    request_us_ += us;
    CountStored(*result, &items);
  }
  counts_.refused_blocks += items.size();
  return absl::OkStatus();
}

// Leaves in `items` those worth another try.
void ReplayWorker::CountStored(const StatusResult& result, std::vector<StoreItem>* items) {
  std::vector<StoreItem> again;
  for (size_t i = 0; i < items->size(); ++i) {
    switch (result.status[i]) {
      case BlockStatus::kOk:
        ++counts_.stored_blocks;
        counts_.stored_bytes += block_bytes_;
        break;
      case BlockStatus::kPresent:
        ++counts_.present_blocks;
        break;
      case BlockStatus::kBusy:
        ++counts_.busy_answers;
        again.push_back((*items)[i]);
        break;
      default:
        ++counts_.refused_blocks;
    }
  }
  *items = std::move(again);
}

}  // namespace incipit::bench
