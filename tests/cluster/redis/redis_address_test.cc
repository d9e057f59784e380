#include "cluster/redis/redis_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisAddress, FormsOfThePageAreRead) {
  const RedisAddress plain = RedisAddress::Parse("redis://control?cluster=prod").value();
  EXPECT_EQ(plain, (RedisAddress{.host = "control", .port = 6379, .database = 0, .cluster = "prod"}));
  const RedisAddress full = RedisAddress::Parse("redis://10.0.0.9:7000/3?cluster=a.b_c-1").value();
  EXPECT_EQ(full, (RedisAddress{.host = "10.0.0.9", .port = 7000, .database = 3, .cluster = "a.b_c-1"}));
  const RedisAddress six = RedisAddress::Parse("redis://[fd00::9]:7000?cluster=x").value();
  EXPECT_EQ(six.host, "fd00::9");
  EXPECT_EQ(six.port, 7000);
  EXPECT_EQ(RedisAddress::Parse("redis://[fd00::9]?cluster=x")->port, 6379);
  const RedisAddress local = RedisAddress::Parse("redis+unix:///run/redis.sock?cluster=x").value();
  EXPECT_EQ(local.socket_path, "/run/redis.sock");
  for (const RedisAddress& address : {plain, full, six, local}) {
    EXPECT_EQ(RedisAddress::Parse(address.ToString()).value(), address) << address.ToString();
  }
}

TEST(RedisAddress, SentinelsAreAListWithTheMastersName) {
  const RedisAddress one = RedisAddress::Parse("redis+sentinel://s1/main?cluster=x").value();
  EXPECT_EQ(one.sentinels, (std::vector<RedisPlace>{{"s1", 26379}}));
  EXPECT_EQ(one.master, "main");
  EXPECT_EQ(one.host, "");
  const RedisAddress many =
      RedisAddress::Parse("redis+sentinel://10.0.0.1:7000,[fd00::9],s3:1/my.m-1/2?cluster=x").value();
  EXPECT_EQ(many.sentinels, (std::vector<RedisPlace>{{"10.0.0.1", 7000}, {"fd00::9", 26379}, {"s3", 1}}));
  EXPECT_EQ(many.database, 2);
  EXPECT_EQ(RedisAddress::Parse(many.ToString()).value(), many) << many.ToString();
  EXPECT_EQ(many.At({"10.0.0.7", 6380}).ToString(), "redis://10.0.0.7:6380/2?cluster=x");
}

TEST(RedisAddress, KindsAreToldByTheirBeginning) {
  for (const char* text : {"redis://a", "redis+unix://a", "redis+sentinel://a"}) EXPECT_TRUE(RedisAddress::IsOne(text));
  for (const char* text : {"", "redis", "static:/a", "/redis://", "redis+tls://a"})
    EXPECT_FALSE(RedisAddress::IsOne(text));
}

TEST(RedisAddress, OtherTextsAreRefused) {
  const auto refused = [](const std::string& text) {
    const absl::Status status = RedisAddress::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(status.message());
  };
  EXPECT_THAT(refused(""), HasSubstr("name is missing"));
  EXPECT_THAT(refused("redis://a"), HasSubstr("name is missing"));
  EXPECT_THAT(refused("redis://a?cluster="), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis://a?cluster=a}b"), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis://a?cluster=" + std::string(65, 'a')), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis://?cluster=a"), HasSubstr("no host"));
  EXPECT_THAT(refused("redis://a:0?cluster=a"), HasSubstr("port"));
  EXPECT_THAT(refused("redis://a:65536?cluster=a"), HasSubstr("port"));
  EXPECT_THAT(refused("redis://a/b?cluster=a"), HasSubstr("database"));
  EXPECT_THAT(refused("http://a?cluster=a"), HasSubstr("unknown kind"));
  EXPECT_THAT(refused("redis+unix://run/a?cluster=a"), HasSubstr("not absolute"));
  EXPECT_THAT(refused("redis+unix:///" + std::string(107, 'a') + "?cluster=a"), HasSubstr("107"));
  EXPECT_THAT(refused(std::string(600, 'a')), HasSubstr("512"));
  EXPECT_THAT(refused("redis+sentinel://a?cluster=a"), HasSubstr("master's name is missing"));
  EXPECT_THAT(refused("redis+sentinel://a/?cluster=a"), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis+sentinel://a/m m?cluster=a"), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis+sentinel://a/" + std::string(65, 'm') + "?cluster=a"), HasSubstr("1 to 64"));
  EXPECT_THAT(refused("redis+sentinel:///m?cluster=a"), HasSubstr("no host"));
  EXPECT_THAT(refused("redis+sentinel://a,,b/m?cluster=a"), HasSubstr("no host"));
  EXPECT_THAT(refused("redis+sentinel://a:x/m?cluster=a"), HasSubstr("port"));
  EXPECT_THAT(refused("redis+sentinel://a/m/x?cluster=a"), HasSubstr("database"));
  EXPECT_THAT(refused("redis+sentinel://a/m/1/2?cluster=a"), HasSubstr("behind the database"));
  EXPECT_THAT(refused("redis+sentinel://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q/m?cluster=a"), HasSubstr("16"));
  EXPECT_THAT(refused("redis://" + std::string(256, 'a') + "?cluster=a"), HasSubstr("255"));
}

TEST(RedisAddress, PasswordsAreNotRepeated) {
  const absl::Status status = RedisAddress::Parse("redis://me:hunter2@a?cluster=x").status();
  EXPECT_THAT(status.message(), HasSubstr("belongs in a file"));
  EXPECT_THAT(status.message(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(RedisAddress::Parse("redis+sentinel://:hunter2@a/m?cluster=x").status().message(),
              Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace incipit
