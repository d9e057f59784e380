#include "incipit/seed_membership.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/base/status_macros.h"
#include "cache/runtime/uring_loop.h"
#include "client/src/map_follower.h"
#include "transport/lane_connector.h"

namespace incipit {

// The loop's thread owns everything but what is under the mutex.
class SeedMembership::Impl {
 public:
  Impl(SeedOptions options, std::unique_ptr<UringLoop> loop)
      : seeds_(options.seeds), loop_(std::move(loop)), random_(MakeSystemRandom()), connector_(loop_.get()) {
    MapFollowerOptions follow = Follow(std::move(options));
    follow.on_map = [this](std::shared_ptr<const ClusterMap> map) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        map_ = std::move(map);
        counters_ = follower_->counters();  // who sees the map sees it counted
      }
      changed_.notify_all();
    };
    follow.on_failure = [this](const absl::Status& why) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        last_error_ = why;
        counters_ = follower_->counters();
      }
      changed_.notify_all();
    };
    follower_ = std::make_unique<MapFollower>(loop_.get(), &connector_, random_.get(), std::move(follow));
    thread_ = std::thread([this] { Run(); });
  }
  ~Impl() {
    loop_->Stop();
    thread_.join();
  }

  // Wipes the secret in `options`.
  static MapFollowerOptions Follow(SeedOptions options) {
    MapFollowerOptions follow;
    follow.seeds = std::move(options.seeds);
    follow.lane = options.lane;
    follow.tenant = options.tenant;
    follow.client_name = options.client_name;
    follow.step_timeout_ms = options.timeout_ms;
    if (!options.secret.empty()) {
      follow.key = std::make_shared<const TenantKey>(AsBytes(options.secret));
      Wipe(options.secret.data(), options.secret.size());
    }
    return follow;
  }

  std::shared_ptr<const ClusterMap> Map() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return map_;
  }
  SeedStatus status() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {counters_.questions, counters_.maps, counters_.failures, last_error_};
  }
  absl::StatusOr<std::shared_ptr<const ClusterMap>> WaitForMap(uint32_t timeout_ms, bool until_failure) const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                      [&] { return map_ != nullptr || (until_failure && !last_error_.ok()); });
    if (map_ != nullptr) return map_;
    return absl::UnavailableError(
        absl::StrCat("seeds ", absl::StrJoin(seeds_, ","), ": none gave the cluster's map within ", timeout_ms, " ms",
                     last_error_.ok() ? "" : absl::StrCat("; the last one that failed: ", last_error_.message())));
  }

 private:
  void Run() {
    follower_->Start();
    while (!loop_->stopped()) {
      loop_->RunOnce();
      const std::lock_guard<std::mutex> lock(mutex_);
      counters_ = follower_->counters();
    }
    loop_->RunTask(follower_->Stop());
    follower_.reset();
  }

  const std::vector<std::string> seeds_;
  const std::unique_ptr<UringLoop> loop_;
  const std::unique_ptr<Random> random_;
  LaneConnector connector_;
  std::unique_ptr<MapFollower> follower_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::shared_ptr<const ClusterMap> map_;  // under mutex_, as all below
  MapFollowerCounters counters_;
  absl::Status last_error_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<SeedMembership>> SeedMembership::Start(SeedOptions options) {
  for (const std::string& seed : options.seeds) RETURN_IF_ERROR(LaneConnector::CheckAddress(seed));
  if (options.tenant.empty() || options.tenant.size() > kMaxNameBytes || options.client_name.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("SeedOptions: tenant of 1 to ", kMaxNameBytes, " bytes, client_name of at most as many"));
  }
  if (!options.secret.empty() && (options.secret.size() < kMinSecretBytes || options.secret.size() > kMaxSecretBytes)) {
    return absl::InvalidArgumentError(absl::StrCat("SeedOptions.secret: ", options.secret.size(),
                                                   " bytes, allowed are ", kMinSecretBytes, " to ", kMaxSecretBytes));
  }
  RETURN_IF_ERROR(MapFollower::CheckOptions(Impl::Follow(options)));
  // Made on this thread, driven by another.
  ASSIGN_OR_RETURN(std::unique_ptr<UringLoop> loop, UringLoop::Create({.single_thread = false}));
  return std::unique_ptr<SeedMembership>(
      new SeedMembership(std::make_unique<Impl>(std::move(options), std::move(loop))));
}

SeedMembership::SeedMembership(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SeedMembership::~SeedMembership() = default;

std::shared_ptr<const ClusterMap> SeedMembership::Map() const { return impl_->Map(); }
SeedStatus SeedMembership::status() const { return impl_->status(); }
absl::StatusOr<std::shared_ptr<const ClusterMap>> SeedMembership::WaitForMap(uint32_t timeout_ms) const {
  return impl_->WaitForMap(timeout_ms, /*until_failure=*/false);
}
absl::StatusOr<std::shared_ptr<const ClusterMap>> SeedMembership::WaitForAnswer(uint32_t timeout_ms) const {
  return impl_->WaitForMap(timeout_ms, /*until_failure=*/true);
}

}  // namespace incipit
