#include "cluster/redis/sentinel_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace incipit {

absl::StatusOr<std::unique_ptr<SentinelWatch>> SentinelWatch::Start(SentinelWatchOptions options) {
  std::unique_ptr<SentinelWatch> watch(new SentinelWatch(std::move(options)));
  if (!watch->wake_.valid()) return absl::ResourceExhaustedError("sentinels: no descriptor for an eventfd");
  watch->thread_ = std::thread([raw = watch.get()] { raw->Run(); });
  return watch;
}

SentinelWatch::SentinelWatch(SentinelWatchOptions options)
    : options_(std::move(options)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      random_(MakeSystemRandom()),
      last_error_("no sentinel was asked yet") {
  for (const RedisPlace& place : options_.sentinels) links_.push_back({.place = place, .connection = std::nullopt});
}

SentinelWatch::~SentinelWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<RedisMaster> SentinelWatch::Master() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (master_.has_value()) return *master_;
  return absl::UnavailableError(last_error_);  // its own: threads share no Status
}

void SentinelWatch::SetUrgent(bool urgent) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (urgent_ == urgent) return;
    urgent_ = urgent;
  }
  if (!urgent) return;
  const uint64_t one = 1;
  // Fails only if so many wake-ups are pending that one more says nothing new.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

bool SentinelWatch::stopping() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopping_;
}

void SentinelWatch::Run() {
  while (!stopping()) {
    AskAll();
    Pause();
  }
}

void SentinelWatch::AskAll() {
  std::vector<RedisMaster> answers;
  for (Link& link : links_) {
    if (stopping()) return;
    const absl::StatusOr<RedisMaster> answer = Ask(&link);
    if (!answer.ok()) {
      link.connection.reset();
      const std::lock_guard<std::mutex> lock(mutex_);
      last_error_ = absl::StrCat("sentinel ", link.place.ToString(), ": ", answer.status().message());
      continue;
    }
    answers.push_back(*answer);
    // A later failover counts whatever the others say: no need to wait for those that do not answer.
    if (!master_.has_value() || answer->failovers > master_->failovers) Take(*answer);
  }
  Take(ChooseMaster(master_, answers, links_.size()));
  std::stable_partition(links_.begin(), links_.end(), [](const Link& link) { return link.connection.has_value(); });
}

absl::StatusOr<RedisMaster> SentinelWatch::Ask(Link* link) const {
  if (!link->connection.has_value()) {
    RedisAddress address;
    address.host = link->place.host;
    address.port = link->place.port;
    ASSIGN_OR_RETURN(RedisConnection connection,
                     RedisConnection::Connect(address, options_.password, options_.timeout_ms));
    link->connection = std::move(connection);
  }
  // Twice, since no one command tells both the place and how many failovers led to it.
  ASSIGN_OR_RETURN(const RedisReply before, link->connection->Call({"SENTINEL", "MASTER", options_.master}));
  ASSIGN_OR_RETURN(const RedisReply place,
                   link->connection->Call({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.master}));
  ASSIGN_OR_RETURN(const RedisReply after, link->connection->Call({"SENTINEL", "MASTER", options_.master}));
  return ReadMaster(before, place, after);
}

void SentinelWatch::Take(const std::optional<RedisMaster>& master) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!master.has_value() || master_ == master) return;
    master_ = master;
  }
  spdlog::info("event=redis_master name={} at={} failovers={}", options_.master, master->place.ToString(),
               master->failovers);
  if (options_.on_change) options_.on_change();
}

// Until the next round is due, or somebody wants it now.
void SentinelWatch::Pause() {
  const uint32_t fifth_ms = options_.calm_ms / 5;
  uint32_t wait_ms = options_.urgent_ms;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    // Nodes must not ask all at once.
    if (!urgent_) wait_ms = options_.calm_ms - fifth_ms + static_cast<uint32_t>(random_->Below(2 * fifth_ms + 1));
  }
  pollfd fd = {.fd = wake_.get(), .events = POLLIN};
  if (poll(&fd, 1, static_cast<int>(wait_ms)) <= 0) return;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t drained = read(wake_.get(), &count, sizeof(count));
}

}  // namespace incipit
