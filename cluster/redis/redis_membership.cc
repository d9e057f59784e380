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

// Of this process' steady clock: only for pauses; leases are timed by Redis.
int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Sentinels may be behind: what they call the master may not be it yet, or not any more.
absl::Status CheckRole(RedisConnection* redis, const RedisPlace& place) {
  ASSIGN_OR_RETURN(const RedisReply role, redis->Call({"ROLE"}));
  if (!role.list.empty() && role.list[0] == "master") return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("redis at ", place.ToString(), ": the sentinels call it the master, but its role is ",
                   role.list.empty() ? "none" : role.list[0], "; a failover may be under way"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisMembership>> RedisMembership::Start(RedisMembershipOptions options) {
  if (options.lease_ms < kMinMemberLeaseMs || options.lease_ms > kMaxMemberLeaseMs) {
    return absl::InvalidArgumentError(
        absl::StrCat("lease_ms ", options.lease_ms, ", allowed are ", kMinMemberLeaseMs, " to ", kMaxMemberLeaseMs));
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
  if (!membership->options_.address.sentinels.empty()) {
    const RedisMembershipOptions& own = membership->options_;
    ASSIGN_OR_RETURN(membership->watch_,
                     SentinelWatch::Start({.sentinels = own.address.sentinels,
                                           .master = own.address.master,
                                           .password = own.sentinel_password,
                                           .timeout_ms = own.timeout_ms,
                                           .on_change = [raw = membership.get()] { raw->Wake(); }}));
  }
  membership->thread_ = std::thread([raw = membership.get()] { raw->Run(); });
  return membership;
}

RedisMembership::RedisMembership(RedisMembershipOptions options)
    : options_(std::move(options)),
      script_(options_.address.cluster),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      random_(MakeSystemRandom()),
      rules_(options_.self, options_.lease_ms, random_.get()),
      retry_ms_(options_.retry_min_ms) {
  status_.renewed_at = std::chrono::steady_clock::now();
  if (options_.self.has_value()) wanted_state_ = options_.self->state;
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
  watch_.reset();
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

void RedisMembership::Run() {
  const auto stopping = [this] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stopping_;
  };
  if (watch_ != nullptr) Sleep(options_.timeout_ms);  // until a sentinel has answered
  while (!stopping()) {
    absl::Status status = calls_.has_value() ? absl::OkStatus() : Connect();
    if (status.ok()) status = Step();
    if (status.ok()) status = AwaitNews();
    if (!status.ok()) Failed(status);
  }
  bool leave = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    leave = leave_ && rules_.joined();
  }
  if (!leave) return;
  absl::Status left = calls_.has_value() ? absl::OkStatus() : Connect();
  if (left.ok()) left = script_.SetState(&*calls_, Caller(), NodeState::kGone).status();
  if (!left.ok()) spdlog::warn("event=membership_leave_failed cause=\"{}\"; the lease will run out", left.ToString());
}

absl::StatusOr<RedisAddress> RedisMembership::FindServer() {
  if (watch_ == nullptr) return options_.address;
  master_.reset();
  ASSIGN_OR_RETURN(master_, watch_->Master());
  return options_.address.At(master_->place);
}

bool RedisMembership::MasterMoved() const {
  if (watch_ == nullptr) return false;
  const absl::StatusOr<RedisMaster> master = watch_->Master();
  return master.ok() && master_ != *master;
}

MapCaller RedisMembership::Caller() const {
  MapCaller caller = rules_.Caller();
  if (master_.has_value()) caller.failovers = master_->failovers;
  return caller;
}

absl::Status RedisMembership::Connect() {
  ASSIGN_OR_RETURN(const RedisAddress server, FindServer());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    status_.server = server.socket_path.empty() ? RedisPlace{server.host, server.port}.ToString() : server.socket_path;
  }
  ASSIGN_OR_RETURN(RedisConnection calls, RedisConnection::Connect(server, options_.password, options_.timeout_ms));
  if (master_.has_value()) RETURN_IF_ERROR(CheckRole(&calls, master_->place));
  ASSIGN_OR_RETURN(RedisConnection news, RedisConnection::Connect(server, options_.password, options_.timeout_ms));
  RETURN_IF_ERROR(news.Call({"SUBSCRIBE", script_.channel()}).status());
  calls_ = std::move(calls);
  news_ = std::move(news);
  if (watch_ != nullptr) watch_->SetUrgent(false);
  rules_.OnConnected(NowMs());
  return absl::OkStatus();
}

// What is to be done now: join, tell the state, renew, fetch.
absl::Status RedisMembership::Step() {
  bool renewed = false;
  while (true) {
    NodeState wanted;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      wanted = wanted_state_;
    }
    const MemberCall call = rules_.Next(NowMs(), wanted);
    if (call == MemberCall::kNone) break;
    const absl::StatusOr<MapAnswer> answer = Make(call);
    ASSIGN_OR_RETURN(std::shared_ptr<const ClusterMap> taken, rules_.Handle(call, answer, NowMs()));
    const bool follows_only = !options_.self.has_value();
    renewed = renewed || call == MemberCall::kJoin || call == MemberCall::kRenew ||
              (follows_only && call == MemberCall::kFetch);
    if (rules_.fenced()) Fence(answer.status());
    if (taken != nullptr) Publish(std::move(taken));
  }
  retry_ms_ = options_.retry_min_ms;
  bool news = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    news = !status_.connected || status_.joined != rules_.joined();
    status_.connected = true;
    status_.joined = rules_.joined();
    if (renewed) status_.renewed_at = std::chrono::steady_clock::now();
    status_.last_error = absl::OkStatus();
  }
  if (news) changed_.notify_all();
  return absl::OkStatus();
}

absl::StatusOr<MapAnswer> RedisMembership::Make(MemberCall call) {
  absl::StatusOr<MapAnswer> answer;
  switch (call) {
    case MemberCall::kJoin:
      answer = script_.Join(&*calls_, Caller(), rules_.self(), rules_.seed());
      break;
    case MemberCall::kRenew:
      answer = script_.Renew(&*calls_, Caller());
      break;
    case MemberCall::kSetState:
      answer = script_.SetState(&*calls_, Caller(), rules_.self().state);
      break;
    default:
      answer = script_.Fetch(&*calls_, Caller());
  }
  const uint64_t bad_records = answer.ok() ? answer->bad_records : 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++status_.calls;
    if (call == MemberCall::kJoin) ++status_.joins;
    if (answer.ok() && answer->map.has_value()) ++status_.fetches;
    status_.bad_records += bad_records;
  }
  if (bad_records > 0) spdlog::warn("event=membership_bad_records count={}; left out", bad_records);
  return answer;
}

void RedisMembership::Publish(std::shared_ptr<const ClusterMap> map) {
  spdlog::info("event=cluster_map epoch={} nodes={} live={}", map->epoch, map->nodes.size(), LiveNodesOf(*map));
  if (options_.on_map) options_.on_map(map);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    map_ = std::move(map);
  }
  changed_.notify_all();
}

// Waits for a message, a wake-up or the next thing that is due.
absl::Status RedisMembership::AwaitNews() {
  const int64_t wait_ms = std::clamp<int64_t>(rules_.DueAtMs() - NowMs(), 0, kMaxMemberLeaseMs);
  pollfd fds[] = {{.fd = news_->fd(), .events = POLLIN}, {.fd = wake_.get(), .events = POLLIN}};
  if (poll(fds, std::size(fds), static_cast<int>(wait_ms)) < 0) return absl::OkStatus();  // a signal: look again
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t drained = read(wake_.get(), &count, sizeof(count));  // empty if nobody woke us
  if (MasterMoved()) return absl::UnavailableError("redis: the sentinels name another master");
  if (fds[0].revents == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<RedisReply> messages, news_->ReadMessages());
  for (const RedisReply& message : messages) {
    uint64_t epoch = 0;
    const bool number = message.list.size() == 3 && absl::SimpleAtoi(message.list[2], &epoch);
    rules_.OnNews(number ? std::optional<uint64_t>(epoch) : std::nullopt);
  }
  return absl::OkStatus();
}

void RedisMembership::Fence(const absl::Status& why) {
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
  if (watch_ != nullptr) watch_->SetUrgent(true);
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

// A pause that Stop ends, and the news of another master.
void RedisMembership::Sleep(uint32_t ms) {
  pollfd fd = {.fd = wake_.get(), .events = POLLIN};
  const int64_t until = NowMs() + ms;
  while (true) {
    const int64_t left = until - NowMs();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_ || left <= 0) return;
    }
    if (MasterMoved()) {
      retry_ms_ = options_.retry_min_ms;
      return;
    }
    if (poll(&fd, 1, static_cast<int>(left)) <= 0) continue;
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t drained = read(wake_.get(), &count, sizeof(count));
  }
}

}  // namespace incipit
