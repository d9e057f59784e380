// Keeps asking the sentinels which server is the master. docs/membership.md, "Sentinel".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/seams/random.h"
#include "cluster/redis/master_choice.h"
#include "cluster/redis/redis_address.h"
#include "cluster/redis/redis_connection.h"
#include "transport/owned_fd.h"

namespace incipit {

struct SentinelWatchOptions {
  std::vector<RedisPlace> sentinels;  // 1 to kMaxSentinels
  std::string master;                 // its name among the sentinels
  std::string password;               // of the sentinels; empty = none
  uint32_t timeout_ms = 1000;         // of one call
  uint32_t calm_ms = 5000;            // between two rounds of questions; a fifth less or more, each time differently
  uint32_t urgent_ms = 500;           // the same while somebody waits for news
  // On the watch's thread, each time that another server is the master. Must not destroy the watch.
  std::function<void()> on_change;
};

// It has a thread of its own, which alone talks to the sentinels: one connection to each, all of them asked in each
// round, those that answered last time first. Any thread may call any method but the destructor. None blocks; the
// destructor waits for the call that is under way.
class SentinelWatch {
 public:
  // ResourceExhausted: no descriptor is left.
  static absl::StatusOr<std::unique_ptr<SentinelWatch>> Start(SentinelWatchOptions options);
  ~SentinelWatch();

  // As of the last answers, however old. Unavailable: there has been none, with the reason.
  absl::StatusOr<RedisMaster> Master() const;
  // Whether somebody waits for a new master: asks at once, and more often from then on.
  void SetUrgent(bool urgent);

 private:
  struct Link {
    RedisPlace place;
    std::optional<RedisConnection> connection;
  };
  explicit SentinelWatch(SentinelWatchOptions options);
  // All of these on the thread.
  void Run();
  void AskAll();
  absl::StatusOr<RedisMaster> Ask(Link* link) const;
  void Take(const std::optional<RedisMaster>& master);
  void Pause();
  bool stopping() const;

  const SentinelWatchOptions options_;
  OwnedFd wake_;
  // The thread's own.
  const std::unique_ptr<Random> random_;
  std::vector<Link> links_;

  mutable std::mutex mutex_;
  std::optional<RedisMaster> master_;  // under mutex_, as all below; the thread alone changes it
  std::string last_error_;
  bool urgent_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace incipit
