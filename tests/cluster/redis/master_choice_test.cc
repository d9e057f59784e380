#include "cluster/redis/master_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

RedisReply List(std::vector<std::string> values) { return {.is_list = true, .text = "", .list = std::move(values)}; }
RedisReply Master(const std::string& failovers) { return List({"name", "main", "config-epoch", failovers}); }
RedisMaster At(const std::string& host, uint64_t failovers) { return {{host, 6379}, failovers}; }

TEST(MasterChoice, ThreeAnswersMakeOne) {
  const auto master = ReadMaster(Master("4"), List({"10.0.0.1", "7001"}), Master("4"));
  ASSERT_TRUE(master.ok()) << master.status();
  EXPECT_EQ(*master, (RedisMaster{{"10.0.0.1", 7001}, 4}));
}

TEST(MasterChoice, AFailoverBetweenTheAnswersIsNoticed) {
  EXPECT_EQ(ReadMaster(Master("4"), List({"a", "1"}), Master("5")).status().code(), absl::StatusCode::kUnavailable);
}

TEST(MasterChoice, OtherAnswersAreRefused) {
  const auto refused = [](const RedisReply& before, const RedisReply& place) {
    return ReadMaster(before, place, Master("4")).status().code() == absl::StatusCode::kDataLoss;
  };
  EXPECT_TRUE(refused(List({}), List({"a", "1"})));
  EXPECT_TRUE(refused(List({"config-epoch"}), List({"a", "1"})));
  EXPECT_TRUE(refused(Master("-4"), List({"a", "1"})));
  EXPECT_TRUE(refused(Master("4"), {}));
  EXPECT_TRUE(refused(Master("4"), List({"a"})));
  EXPECT_TRUE(refused(Master("4"), List({"", "1"})));
  EXPECT_TRUE(refused(Master("4"), List({std::string(256, 'a'), "1"})));
  EXPECT_TRUE(refused(Master("4"), List({"a", "0"})));
  EXPECT_TRUE(refused(Master("4"), List({"a", "65536"})));
  EXPECT_TRUE(refused(Master("4"), List({"a", "x"})));
}

TEST(MasterChoice, TheLatestFailoverCounts) {
  EXPECT_EQ(ChooseMaster({}, {}, 3), std::nullopt);
  const std::vector<RedisMaster> answers = {At("old", 1), At("new", 2), At("old", 1)};
  EXPECT_EQ(ChooseMaster({}, answers, 3), At("new", 2));
  EXPECT_EQ(ChooseMaster(At("old", 1), answers, 3), At("new", 2));
  EXPECT_EQ(ChooseMaster(At("new", 2), {}, 3), At("new", 2)) << "nobody answers: what was known stays";
}

TEST(MasterChoice, AFewThatMissedAFailoverTakeNobodyBack) {
  const RedisMaster held = At("new", 2);
  EXPECT_EQ(ChooseMaster(held, std::vector<RedisMaster>{At("old", 1)}, 3), held);
  EXPECT_EQ(ChooseMaster(held, std::vector<RedisMaster>{At("other", 0), At("other", 0)}, 3), At("other", 0))
      << "sentinels that were set up anew begin to count at 0";
}

TEST(MasterChoice, TwoNamesOfOneMasterDoNotAlternate) {
  const std::vector<RedisMaster> answers = {At("10.0.0.1", 2), At("redis-1", 2)};
  EXPECT_EQ(ChooseMaster(At("redis-1", 2), answers, 2), At("redis-1", 2));
  EXPECT_EQ(ChooseMaster(At("elsewhere", 2), answers, 2), At("10.0.0.1", 2)) << "moved by hand";
}

}  // namespace
}  // namespace incipit
