#include "cluster/redis/redis_membership.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "cache/seams/random.h"
#include "spdlog/spdlog.h"

namespace incipit {
namespace {

constexpr uint32_t kMinLeaseMs = 100;
constexpr uint32_t kMaxLeaseMs = 600'000;

// Of this process' steady clock: only for pauses; leases are timed by Redis.
int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

size_t LiveNodes(const ClusterMap& map) {
  return static_cast<size_t>(std::count_if(map.nodes.begin(), map.nodes.end(),
                                           [](const ClusterNode& node) { return node.state != NodeState::kGone; }));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisMembership>> RedisMembership::Start(RedisMembershipOptions options) {
  if (options.lease_ms < kMinLeaseMs || options.lease_ms > kMaxLeaseMs) {
    return absl::InvalidArgumentError(
        absl::StrCat("lease_ms ", options.lease_ms, ", allowed are ", kMinLeaseMs, " to ", kMaxLeaseMs));
  }
  if (options.timeout_ms == 0 || options.retry_min_ms == 0 || options.retry_max_ms < options.retry_min_ms) {
    return absl::InvalidArgumentError("membership: timeout_ms and retry_min_ms are at least 1, retry_max_ms not below");
  }
  if (options.self.has_value()) {
    RETURN_IF_ERROR(CheckClusterNode(*options.self));
    if (options.self->state == NodeState::kGone) {
      return absl::InvalidArgumentError("membership: a node cannot join as gone");
    }
  }
  std::unique_ptr<RedisMembership> membership(new RedisMembership(std::move(options)));
  if (!membership->wake_.valid()) return absl::ResourceExhaustedError("membership: no descriptor for an eventfd");
  membership->thread_ = std::thread([raw = membership.get()] { raw->Run(); });
  return membership;
}

RedisMembership::RedisMembership(RedisMembershipOptions options)
    : options_(std::move(options)),
      script_(options_.address.cluster),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      retry_ms_(options_.retry_min_ms),
      lease_ms_(options_.lease_ms) {
  const std::unique_ptr<Random> random = MakeSystemRandom();
  random->Fill(seed_);
  status_.renewed_at = std::chrono::steady_clock::now();
  if (!options_.self.has_value()) return;
  self_ = *options_.self;
  wanted_state_ = self_.state;
  fence_ = NodeIdText(self_.incarnation) + NodeIdText(random->Next());
}

RedisMembership::~RedisMembership() { Stop(Leaving::kKeepLease); }

void RedisMembership::Stop(Leaving leaving) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopping_) leave_ = leaving == Leaving::kLeave;
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void RedisMembership::Wake() {
  const uint64_t one = 1;
  // Fails only if so many wake-ups are pending that one more says nothing new.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

std::shared_ptr<const ClusterMap> RedisMembership::Map() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return map_;
}

RedisMembershipStatus RedisMembership::status() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

void RedisMembership::SetState(NodeState state) {
  INCIPIT_CHECK(options_.self.has_value() && state != NodeState::kGone, "a registered node; Stop makes it gone");
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted_state_ = state;
  }
  Wake();
}

absl::StatusOr<std::shared_ptr<const ClusterMap>> RedisMembership::WaitForMap(const MapPredicate& wanted,
                                                                              uint32_t timeout_ms) const {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool found =
      changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return map_ != nullptr && wanted(*map_); });
  if (found) return map_;
  return absl::DeadlineExceededError(absl::StrCat(options_.address.ToString(), ": no such map within ", timeout_ms,
                                                  " ms; last error: ", status_.last_error.ToString()));
}

absl::Status RedisMembership::WaitForStatus(const std::function<bool(const RedisMembershipStatus&)>& wanted,
                                            uint32_t timeout_ms) const {
  std::unique_lock<std::mutex> lock(mutex_);
  if (changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return wanted(status_); })) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(absl::StrCat(options_.address.ToString(), ": not within ", timeout_ms,
                                                  " ms; last error: ", status_.last_error.ToString()));
}

MapCaller RedisMembership::Caller() const {
  const std::shared_ptr<const ClusterMap> map = Map();
  return {.id = self_.id, .fence = fence_, .known_epoch = map == nullptr ? 0 : map->epoch, .lease_ms = lease_ms_};
}

void RedisMembership::Run() {
  const auto stopping = [this] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stopping_;
  };
  while (!stopping()) {
    absl::Status status = calls_.has_value() ? absl::OkStatus() : Connect();
    if (status.ok()) status = Step();
    if (status.ok()) status = AwaitNews();
    if (!status.ok()) Failed(status);
  }
  bool leave = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    leave = leave_ && joined_ && !status_.fenced;
  }
  if (!leave) return;
  absl::Status left = calls_.has_value() ? absl::OkStatus() : Connect();
  if (left.ok()) left = script_.SetState(&*calls_, Caller(), NodeState::kGone).status();
  if (!left.ok()) spdlog::warn("event=membership_leave_failed cause=\"{}\"; the lease will run out", left.ToString());
}

absl::Status RedisMembership::Connect() {
  ASSIGN_OR_RETURN(RedisConnection calls,
                   RedisConnection::Connect(options_.address, options_.password, options_.timeout_ms));
  ASSIGN_OR_RETURN(RedisConnection news,
                   RedisConnection::Connect(options_.address, options_.password, options_.timeout_ms));
  RETURN_IF_ERROR(news.Call({"SUBSCRIBE", script_.channel()}).status());
  calls_ = std::move(calls);
  news_ = std::move(news);
  fetch_due_ = true;  // what was published before is not told again
  renew_at_ms_ = 0;
  // Redis may be back without its data: then all come back, one after the other.
  if (Map() != nullptr) hold_until_ms_ = NowMs() + lease_ms_;
  return absl::OkStatus();
}

// What is to be done now: join, tell the state, renew, fetch.
absl::Status RedisMembership::Step() {
  const int64_t now = NowMs();
  bool registered = options_.self.has_value();
  NodeState wanted;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted = wanted_state_;
    registered = registered && !status_.fenced;
  }
  if (registered && joined_ && wanted != self_.state) {
    self_.state = wanted;
    RETURN_IF_ERROR(Handle(script_.SetState(&*calls_, Caller(), wanted)));
  }
  if (registered && joined_ && now >= renew_at_ms_) RETURN_IF_ERROR(Handle(script_.Renew(&*calls_, Caller())));
  if (registered && !joined_) {
    self_.state = wanted;
    RETURN_IF_ERROR(Join());
  }
  if (!registered && now >= renew_at_ms_) fetch_due_ = true;
  if (hold_until_ms_ != 0 && now >= hold_until_ms_) {
    hold_until_ms_ = 0;
    fetch_due_ = true;
  }
  if (fetch_due_) RETURN_IF_ERROR(Handle(script_.Fetch(&*calls_, Caller())));
  const bool renewed = now >= renew_at_ms_;
  if (renewed) {
    // A little earlier than a third of the lease, each node differently, so that they do not call all at once.
    const int64_t third = std::max<int64_t>(1, lease_ms_ / 3);
    renew_at_ms_ = NowMs() + third - static_cast<int64_t>(MakeSystemRandom()->Below(third / 5 + 1));
  }
  retry_ms_ = options_.retry_min_ms;
  bool news = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    news = !status_.connected || status_.joined != joined_;
    status_.connected = true;
    status_.joined = joined_;
    if (renewed) status_.renewed_at = std::chrono::steady_clock::now();
    status_.last_error = absl::OkStatus();
  }
  if (news) changed_.notify_all();
  return absl::OkStatus();
}

absl::Status RedisMembership::Join() {
  const std::shared_ptr<const ClusterMap> map = Map();
  const absl::StatusOr<MapAnswer> answer =
      script_.Join(&*calls_, Caller(), self_, map == nullptr ? seed_ : map->placement_seed);
  joined_ = answer.ok();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++status_.joins;
  }
  return Handle(answer);
}

absl::Status RedisMembership::Handle(absl::StatusOr<MapAnswer> answer) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++status_.calls;
  }
  if (absl::IsAborted(answer.status())) {
    Fence(answer.status());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(answer.status());
  if (answer->lease_ms >= kMinLeaseMs && answer->lease_ms <= kMaxLeaseMs) {
    lease_ms_ = static_cast<uint32_t>(answer->lease_ms);
  }
  if (answer->lapsed && joined_) {
    joined_ = false;  // cut off for long, or Redis lost what it had
    hold_until_ms_ = NowMs() + lease_ms_;
  }
  if (answer->map.has_value()) {
    Take(*answer);
    return absl::OkStatus();
  }
  const std::shared_ptr<const ClusterMap> map = Map();
  fetch_due_ = !answer->lapsed && (map == nullptr || map->epoch != answer->epoch);
  return absl::OkStatus();
}

void RedisMembership::Take(const MapAnswer& answer) {
  fetch_due_ = false;
  std::shared_ptr<const ClusterMap> taken;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++status_.fetches;
    status_.bad_records += answer.bad_records;
    if (map_ != nullptr && answer.map->epoch <= map_->epoch) return;
    const ClusterNode* own = joined_ ? answer.map->Find(self_.id) : &self_;
    if (own == nullptr || own->state == NodeState::kGone) {  // as when a renewal finds no lease; join soon
      joined_ = false;
      renew_at_ms_ = std::min<int64_t>(renew_at_ms_, NowMs() + lease_ms_ / 10);
      hold_until_ms_ = NowMs() + lease_ms_;
    }
    if (map_ != nullptr && hold_until_ms_ != 0 && LiveNodes(*answer.map) < LiveNodes(*map_)) return;
    hold_until_ms_ = 0;
    taken = std::make_shared<const ClusterMap>(*answer.map);
    map_ = taken;
  }
  changed_.notify_all();
  if (answer.bad_records > 0) spdlog::warn("event=membership_bad_records count={}; left out", answer.bad_records);
  spdlog::info("event=cluster_map epoch={} nodes={} live={}", taken->epoch, taken->nodes.size(), LiveNodes(*taken));
  if (options_.on_map) options_.on_map(taken);
}

// Waits for a message, a wake-up or the next thing that is due.
absl::Status RedisMembership::AwaitNews() {
  int64_t until = renew_at_ms_;
  if (hold_until_ms_ != 0) until = std::min(until, hold_until_ms_);
  const int64_t wait_ms = fetch_due_ ? 0 : std::clamp<int64_t>(until - NowMs(), 0, kMaxLeaseMs);
  pollfd fds[] = {{.fd = news_->fd(), .events = POLLIN}, {.fd = wake_.get(), .events = POLLIN}};
  if (poll(fds, std::size(fds), static_cast<int>(wait_ms)) < 0) return absl::OkStatus();  // a signal: look again
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t drained = read(wake_.get(), &count, sizeof(count));  // empty if nobody woke us
  if (fds[0].revents == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<RedisReply> messages, news_->ReadMessages());
  const std::shared_ptr<const ClusterMap> map = Map();
  for (const RedisReply& message : messages) {
    uint64_t epoch = 0;
    const bool number = message.list.size() == 3 && absl::SimpleAtoi(message.list[2], &epoch);
    if (!number || map == nullptr || epoch > map->epoch) fetch_due_ = true;
  }
  return absl::OkStatus();
}

void RedisMembership::Fence(const absl::Status& why) {
  joined_ = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (status_.fenced) return;
    status_.fenced = true;
    status_.joined = false;
  }
  changed_.notify_all();
  spdlog::error("event=membership_fenced cause=\"{}\"", why.ToString());
  if (options_.on_fenced) options_.on_fenced(why);
}

void RedisMembership::Failed(const absl::Status& why) {
  calls_.reset();
  news_.reset();
  bool was_connected = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    was_connected = status_.connected || status_.failures == 0;
    status_.connected = false;
    ++status_.failures;
    if (absl::IsUnavailable(why)) ++status_.unreachable;
    if (absl::IsFailedPrecondition(why) || absl::IsUnauthenticated(why)) ++status_.refused;
    status_.last_error = why;
  }
  changed_.notify_all();
  if (was_connected) {
    spdlog::warn("event=membership_away redis={} cause=\"{}\"; the last map stays in use", options_.address.ToString(),
                 why.ToString());
  }
  Sleep(retry_ms_);
  retry_ms_ = std::min(retry_ms_ * 2, options_.retry_max_ms);
}

// A pause that Stop ends.
void RedisMembership::Sleep(uint32_t ms) {
  pollfd fd = {.fd = wake_.get(), .events = POLLIN};
  const int64_t until = NowMs() + ms;
  while (true) {
    const int64_t left = until - NowMs();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_ || left <= 0) return;
    }
    if (poll(&fd, 1, static_cast<int>(left)) <= 0) continue;
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t drained = read(wake_.get(), &count, sizeof(count));
  }
}

}  // namespace incipit
