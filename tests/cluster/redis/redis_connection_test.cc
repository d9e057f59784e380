#include "cluster/redis/redis_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/redis_server.h"

namespace incipit {
namespace {

using testing::RedisServer;

TEST(RedisConnection, AnswersAreTextsAndLists) {
  RedisServer server;
  auto redis = RedisConnection::Connect(server.Address(), "", 5000);
  ASSERT_TRUE(redis.ok()) << redis.status();
  const std::string bytes("a\0b\r\n", 5);
  EXPECT_EQ(redis->Call({"SET", "k", bytes})->text, "OK");
  EXPECT_EQ(redis->Call({"GET", "k"})->text, bytes);
  EXPECT_EQ(redis->Call({"GET", "none"})->text, "");
  EXPECT_EQ(redis->Call({"STRLEN", "k"})->text, "5");
  const auto list = redis->Call({"MGET", "k", "none", "k"});
  EXPECT_TRUE(list->is_list);
  EXPECT_EQ(list->list, (std::vector<std::string>{bytes, "", bytes}));
  EXPECT_EQ(redis->Call({"ROLE"})->list, (std::vector<std::string>{"master", "0", ""})) << "the last is a list";
}

TEST(RedisConnection, AnErrorOfRedisLeavesTheConnectionUsable) {
  RedisServer server;
  auto redis = RedisConnection::Connect(server.Address(), "", 5000);
  ASSERT_TRUE(redis.ok()) << redis.status();
  EXPECT_EQ(redis->Call({"NONSENSE"}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(redis->Call({"PING"})->text, "PONG");
}

TEST(RedisConnection, AServerThatIsGoneOrHangsIsUnavailable) {
  RedisServer server;
  auto redis = RedisConnection::Connect(server.Address(), "", 200);
  ASSERT_TRUE(redis.ok()) << redis.status();
  server.Pause();
  EXPECT_EQ(redis->Call({"PING"}).status().code(), absl::StatusCode::kUnavailable);
  server.Resume();
  EXPECT_EQ(redis->Call({"PING"}).status().code(), absl::StatusCode::kUnavailable) << "it would get the late answer";
  server.Kill();
  EXPECT_EQ(RedisConnection::Connect(server.Address(), "", 200).status().code(), absl::StatusCode::kUnavailable);
}

TEST(RedisConnection, PasswordsAreAskedFor) {
  RedisServer server;
  server.Ask({"CONFIG", "SET", "requirepass", "hunter2"});
  auto without = RedisConnection::Connect(server.Address(), "", 5000);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_EQ(without->Call({"PING"}).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(RedisConnection::Connect(server.Address(), "hunter1", 5000).status().code(),
            absl::StatusCode::kUnauthenticated);
  auto with = RedisConnection::Connect(server.Address(), "hunter2", 5000);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_EQ(with->Call({"PING"})->text, "PONG");
}

TEST(RedisConnection, MessagesArriveTogether) {
  RedisServer server;
  auto news = RedisConnection::Connect(server.Address(), "", 5000);
  ASSERT_TRUE(news.ok()) << news.status();
  ASSERT_TRUE(news->Call({"SUBSCRIBE", "c"}).ok());
  server.Ask({"PUBLISH", "c", "1"});
  server.Ask({"PUBLISH", "c", "2"});
  std::vector<std::string> texts;
  while (texts.size() < 2) {
    const auto messages = news->ReadMessages();
    ASSERT_TRUE(messages.ok()) << messages.status();
    for (const RedisReply& message : *messages) texts.push_back(message.list.at(2));
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"1", "2"}));
}

TEST(RedisConnection, AnswersOverTheLimitAreRefused) {
  RedisServer server;
  auto redis = RedisConnection::Connect(server.Address(), "", 30'000);
  ASSERT_TRUE(redis.ok()) << redis.status();
  ASSERT_TRUE(redis->Call({"SETRANGE", "large", std::to_string(kMaxRedisReplyBytes), "x"}).ok());
  EXPECT_EQ(redis->Call({"GET", "large"}).status().code(), absl::StatusCode::kUnavailable);
  const std::string many = "local t = {} for i = 1, 16385 do t[i] = 'x' end return t";
  EXPECT_EQ(redis->Call({"EVAL", many, "0"}).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace incipit
