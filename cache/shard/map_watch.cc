#include "cache/shard/map_watch.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

MapWatch::MapWatch(Session* session, uint64_t request_id, const wire::GetMap& request)
    : session_(session),
      shard_(session->shard()),
      request_id_(request_id),
      known_epoch_(request.known_epoch),
      deadline_ns_(shard_->loop()->NowNs() + int64_t{request.wait_ms} * kMillisecondNs),
      wake_(shard_->loop()),
      ended_(shard_->loop()) {}

void MapWatch::Stop() {
  stopped_ = true;
  wake_.Set();
}

bool MapWatch::HasNews() const {
  const PublishedMapRef& map = shard_->cluster_map();
  return map != nullptr && map->epoch > known_epoch_;
}

Task<void> MapWatch::Run() {
  while (!HasNews() && !stopped_ && shard_->loop()->NowNs() < deadline_ns_) {
    wake_.Clear();
    co_await wake_.WaitUntil(deadline_ns_);
  }
  co_await session_->send_lock()->Acquire(1);
  const PublishedMapRef map = shard_->cluster_map();  // held until it is sent: a newer one may take its place
  std::vector<uint8_t> nothing_new;
  const std::vector<uint8_t>* meta = &nothing_new;
  if (map != nullptr && map->epoch > known_epoch_) {
    meta = &map->reply;
  } else {
    wire::MapReply{.epoch = map == nullptr ? 0 : map->epoch}.Encode(&nothing_new);
  }
  Task<absl::Status> sending =
      session_->SendLocked(wire::FrameType::kMapReply, request_id_, wire::kFrameFlagLast, meta, {});
  const absl::Status ignored = co_await sending;  // On failure the channel is closed, and Serve sees it.
  session_->send_lock()->Release(1);
  ended_.Set();
}

}  // namespace incipit
