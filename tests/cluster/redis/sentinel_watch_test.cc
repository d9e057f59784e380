// A master, a replica and sentinels: real processes. Each test waits for the event itself.
#include "cluster/redis/sentinel_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/own_network.h"
#include "tests/support/redis_sentinels.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::RedisSentinels;

class SentinelWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::EnterOwnNetwork()) GTEST_SKIP() << "no network namespace: " << std::strerror(errno);
  }
  static std::unique_ptr<SentinelWatch> Watch(std::vector<RedisPlace> sentinels, std::string master = "main") {
    auto watch = SentinelWatch::Start({.sentinels = std::move(sentinels), .master = std::move(master)});
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  static void AwaitMaster(const SentinelWatch& watch, uint16_t port) {
    RedisSentinels::Await("the watch names the master", [&] {
      const auto master = watch.Master();
      return master.ok() && master->place == RedisPlace{"127.0.0.1", port};
    });
  }
  static void AwaitError(const SentinelWatch& watch, const std::string& text) {
    RedisSentinels::Await(
        text.c_str(), [&] { return std::string(watch.Master().status().message()).find(text) != std::string::npos; });
  }
};

TEST_F(SentinelWatchTest, FollowsAFailoverThoughASentinelIsAway) {
  RedisSentinels world(2);
  std::vector<RedisPlace> places = world.Places();
  places.insert(places.begin(), RedisPlace{"127.0.0.1", 1});  // nobody listens there
  const auto watch = Watch(places);
  AwaitMaster(*watch, RedisSentinels::kMasterPort);
  const uint64_t before = watch->Master()->failovers;
  world.FailOver();
  AwaitMaster(*watch, RedisSentinels::kReplicaPort);
  EXPECT_GT(watch->Master()->failovers, before);
  world.sentinel(0)->Kill();
  world.sentinel(1)->Kill();
  EXPECT_TRUE(watch->Master().ok()) << "what was known stays";
}

TEST_F(SentinelWatchTest, SaysWhyThereIsNoMaster) {
  AwaitError(*Watch({{"127.0.0.1", 1}}), "sentinel 127.0.0.1:1");
  RedisSentinels world(1);
  AwaitError(*Watch(world.Places(), "other"), "No such master");
  AwaitError(*Watch({{"127.0.0.1", RedisSentinels::kMasterPort}}), "SENTINEL");  // a server, not a sentinel
}

TEST_F(SentinelWatchTest, EndsWhileASentinelHangs) {
  RedisSentinels world(1);
  const auto watch = Watch(world.Places());
  AwaitMaster(*watch, RedisSentinels::kMasterPort);
  world.sentinel(0)->Pause();
  watch->SetUrgent(false);
  watch->SetUrgent(true);
  EXPECT_TRUE(watch->Master().ok());
}

}  // namespace
}  // namespace incipit
