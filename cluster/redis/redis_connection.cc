#include "cluster/redis/redis_connection.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

struct ReplyCloser {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyRef = std::unique_ptr<redisReply, ReplyCloser>;

absl::StatusOr<std::string> TextOf(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      if (reply.len > kMaxRedisReplyBytes) return absl::UnavailableError("redis: an answer over 8 MiB");
      return std::string(reply.str, reply.len);
    case REDIS_REPLY_INTEGER:
      return std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
    case REDIS_REPLY_ARRAY:
      return std::string();
    default:
      return absl::UnavailableError(absl::StrCat("redis: an answer of unexpected type ", reply.type));
  }
}

absl::StatusOr<RedisReply> Convert(const redisReply& reply) {
  RedisReply result;
  if (reply.type == REDIS_REPLY_ERROR) return absl::FailedPreconditionError(std::string(reply.str, reply.len));
  if (reply.type != REDIS_REPLY_ARRAY) {
    ASSIGN_OR_RETURN(result.text, TextOf(reply));
    return result;
  }
  result.is_list = true;
  if (reply.elements > kMaxRedisReplyValues) {
    return absl::UnavailableError(
        absl::StrCat("redis: an answer of ", reply.elements, " values, at most ", kMaxRedisReplyValues));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < reply.elements; ++i) {
    ASSIGN_OR_RETURN(std::string text, TextOf(*reply.element[i]));
    bytes += text.size();
    if (bytes > kMaxRedisReplyBytes) return absl::UnavailableError("redis: an answer over 8 MiB");
    result.list.push_back(std::move(text));
  }
  return result;
}

}  // namespace

void RedisConnection::Closer::operator()(redisContext* context) const { redisFree(context); }

absl::Status RedisConnection::Broken(const char* what) const {
  return absl::UnavailableError(
      absl::StrCat("redis: ", what, ": ", context_->err != 0 ? context_->errstr : "no answer"));
}

absl::StatusOr<RedisConnection> RedisConnection::Connect(const RedisAddress& address, const std::string& password,
                                                         uint32_t timeout_ms) {
  const timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = static_cast<suseconds_t>(timeout_ms % 1000) * 1000};
  redisContext* context = address.socket_path.empty()
                              ? redisConnectWithTimeout(address.host.c_str(), address.port, timeout)
                              : redisConnectUnixWithTimeout(address.socket_path.c_str(), timeout);
  if (context == nullptr) return absl::UnavailableError("redis: no memory for a connection");
  RedisConnection connection(context);
  const std::string place =
      address.socket_path.empty() ? RedisPlace{address.host, address.port}.ToString() : address.socket_path;
  if (context->err != 0) return connection.Broken(("connect to " + place).c_str());
  if (redisSetTimeout(context, timeout) != REDIS_OK) return connection.Broken("set a timeout");
  if (!password.empty()) {
    const absl::Status known = connection.Call({"AUTH", password}).status();
    if (absl::IsFailedPrecondition(known)) {
      return absl::UnauthenticatedError(absl::StrCat("redis at ", place, ": ", known.message()));
    }
    RETURN_IF_ERROR(known);
  }
  if (address.database != 0) {
    RETURN_IF_ERROR(connection.Call({"SELECT", std::to_string(address.database)}).status());
  }
  return connection;
}

absl::StatusOr<RedisReply> RedisConnection::Call(const std::vector<std::string>& arguments) {
  if (context_->err != 0) return Broken("the connection had failed before");
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  const ReplyRef reply(static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), sizes.data())));
  if (reply == nullptr) return Broken(arguments[0].c_str());
  absl::StatusOr<RedisReply> result = Convert(*reply);
  if (!result.ok() && absl::StartsWith(result.status().message(), "NOAUTH")) {
    return absl::UnauthenticatedError(absl::StrCat("redis: ", result.status().message()));
  }
  return result;
}

absl::StatusOr<std::vector<RedisReply>> RedisConnection::ReadMessages() {
  if (redisBufferRead(context_.get()) != REDIS_OK) return Broken("read news");
  std::vector<RedisReply> messages;
  while (true) {
    void* raw = nullptr;
    if (redisGetReplyFromReader(context_.get(), &raw) != REDIS_OK) return Broken("read news");
    const ReplyRef reply(static_cast<redisReply*>(raw));
    if (reply == nullptr) return messages;
    ASSIGN_OR_RETURN(RedisReply message, Convert(*reply));
    messages.push_back(std::move(message));
  }
}

int RedisConnection::fd() const { return context_->fd; }

}  // namespace incipit
