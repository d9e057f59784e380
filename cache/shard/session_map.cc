// The request of a session that concerns the cluster's map: GetMap.
#include "cache/shard/map_watch.h"
#include "cache/shard/session.h"

namespace incipit {

Task<void> Session::HandleGetMap(uint64_t request_id, ByteView meta) {
  absl::StatusOr<wire::GetMap> request = wire::GetMap::Decode(meta);
  if ((hello_.features & wire::kFeatureClusterMap) == 0) {
    request = absl::InvalidArgumentError("GetMap needs the feature \"cluster map\" (bit 3) in Hello");
  }
  if (!request.ok()) {
    Task<void> replying = ReplyError(request_id, request.status());
    co_await replying;
    co_return;
  }
  // One at a time. A client that asks without taking answers waits here, as it would with any other request.
  if (map_watch_ != nullptr) {
    const std::shared_ptr<MapWatch> before = map_watch_;
    before->Stop();
    co_await before->ended()->Wait();
  }
  const auto watch = std::make_shared<MapWatch>(this, request_id, *request);
  map_watch_ = watch;
  auto run = [](Session* session, std::shared_ptr<MapWatch> owned) -> Task<void> {
    Task<void> running = owned->Run();
    co_await running;
    if (session->map_watch_ == owned) session->map_watch_ = nullptr;
  };
  jobs_.Spawn(run(this, watch));
}

void Session::OnClusterMap() {
  if (map_watch_ != nullptr) map_watch_->Look();
}

void Session::StopMapWatch() {
  if (map_watch_ != nullptr) map_watch_->Stop();
}

}  // namespace incipit
