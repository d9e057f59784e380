// One connection to Redis through hiredis, with limits on time and size. Blocking: it belongs to a thread that nothing
// of the data path waits for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/redis/redis_address.h"

struct redisContext;

namespace incipit {

inline constexpr size_t kMaxRedisReplyBytes = 8 << 20;
inline constexpr size_t kMaxRedisReplyValues = 16'384;

// A reply of Redis: one text, or a list of texts. Numbers are given as text, nil and a list within a list as empty
// text.
struct RedisReply {
  bool is_list = false;
  std::string text;
  std::vector<std::string> list;
};

// One thread at a time. After an error of connection, time or size (Unavailable) it is broken: make another.
class RedisConnection {
 public:
  // Connects, authenticates if there is a password, selects the database: each step within `timeout_ms`. (Looking up a
  // host's name may take longer.) Unavailable; Unauthenticated: the password is wrong or missing.
  static absl::StatusOr<RedisConnection> Connect(const RedisAddress& address, const std::string& password,
                                                 uint32_t timeout_ms);

  // One command with its arguments, which may hold any bytes. Unavailable: broken. FailedPrecondition: Redis answered
  // with an error, whose text is the message; the connection goes on.
  absl::StatusOr<RedisReply> Call(const std::vector<std::string>& arguments);

  // After a SUBSCRIBE: the messages that have arrived, without waiting for more if fd() is readable. Unavailable:
  // broken.
  absl::StatusOr<std::vector<RedisReply>> ReadMessages();
  int fd() const;

 private:
  struct Closer {
    void operator()(redisContext* context) const;
  };
  explicit RedisConnection(redisContext* context) : context_(context) {}
  absl::Status Broken(const char* what) const;

  std::unique_ptr<redisContext, Closer> context_;
};

}  // namespace incipit
