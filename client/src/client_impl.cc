#include "client/src/client_impl.h"

#include <algorithm>

#include "cache/base/processors.h"
#include "cache/base/status_macros.h"

namespace incipit {

absl::StatusOr<std::shared_ptr<Client::Impl>> Client::Impl::Create(ClientOptions options) {
  const bool threaded = options.progress == Progress::kThread;
  std::shared_ptr<Impl> impl(new Impl());
  UringLoopOptions loop_options;
  loop_options.single_thread = false;  // Made on this thread, driven by another, or by any in turn.
  ASSIGN_OR_RETURN(impl->loop_, UringLoop::Create(loop_options));
  impl->random_ = MakeSystemRandom();
  impl->connector_ = std::make_unique<LaneConnector>(impl->loop_.get());
  const CodingThreads::Crew crew = options.codec_threads != 0 ? CodingThreads::Crew{.threads = options.codec_threads}
                                                              : CodingThreads::ByProcessors(UsableProcessors());
  impl->coding_threads_ = std::make_unique<CodingThreads>(impl->loop_.get(), crew);
  impl->core_ = std::make_unique<ClientCore>(impl->loop_.get(), impl->connector_.get(), impl->random_.get(),
                                             std::move(options), impl->coding_threads_.get());
  impl->scope_ = std::make_unique<TaskScope>(impl->loop_.get());
  impl->core_->set_new_stamp([raw = impl.get()] { return raw->NewStamp(); });
  impl->core_->set_make_lease([weak = std::weak_ptr<Impl>(impl)](std::vector<LeaseGrant> grants) {
    return Lease([weak, grants = std::move(grants)] {
      if (const std::shared_ptr<Impl> owner = weak.lock()) owner->Release(grants);
    });
  });
  impl->core_->set_renew([weak = std::weak_ptr<Impl>(impl)](std::vector<LeaseGrant> grants, uint32_t claim_ms) {
    if (const std::shared_ptr<Impl> owner = weak.lock()) owner->Renew(std::move(grants), claim_ms);
  });
  if (threaded) impl->thread_ = std::thread([raw = impl->loop_.get()] { raw->Run(); });
  impl->OnLoop([](ClientCore* core) { core->Start(); });
  return impl;
}

Client::Impl::~Impl() = default;

Task<void> Client::Impl::StopCore(std::shared_ptr<Handover> stopped) {
  co_await core_->Stop();
  stopped->Signal();
  loop_->Interrupt();
}

void Client::Impl::Shutdown() {
  auto stopped = std::make_shared<Handover>();
  if (threaded()) {
    loop_->PostFromAnyThread([this, stopped] {
      shut_down_.store(true);
      scope_->Spawn(StopCore(stopped));
    });
    stopped->Wait(*loop_);
    loop_->Stop();
    thread_.join();
  } else {
    shut_down_.store(true);
    scope_->Spawn(StopCore(stopped));
  }
  Driving driving(&driving_);
  while (scope_->running() > 0) loop_->RunOnce();
}

void Client::Impl::Poll(uint32_t wait_us) {
  if (threaded()) return;
  Driving driving(&driving_);
  loop_->RunOnce(wait_us == 0 ? 0 : loop_->NowNs() + int64_t{wait_us} * 1000);
}

void Client::Impl::Release(std::vector<LeaseGrant> grants) {
  if (shut_down_.load()) return;
  if (!threaded()) return core_->Release(std::move(grants));
  loop_->PostFromAnyThread([this, grants = std::move(grants)] { core_->Release(grants); });
}

void Client::Impl::Renew(std::vector<LeaseGrant> grants, uint32_t claim_ms) {
  if (shut_down_.load()) return;
  if (!threaded()) return core_->Renew(std::move(grants), claim_ms);
  loop_->PostFromAnyThread([this, grants = std::move(grants), claim_ms] { core_->Renew(grants, claim_ms); });
}

uint64_t Client::Impl::NewStamp() {
  const auto wall_ns = static_cast<uint64_t>(loop_->WallNs());
  uint64_t last = last_stamp_ns_.load(std::memory_order_relaxed);
  uint64_t stamp = 0;
  do {
    stamp = std::max(last + 1, wall_ns);
  } while (!last_stamp_ns_.compare_exchange_weak(last, stamp, std::memory_order_relaxed));
  return stamp;
}

}  // namespace incipit
