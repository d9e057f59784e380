// What a match tells of hot blocks, frame by frame.
#include "cache/shard/match_job.h"

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::WireClient;
using wire::FrameType;

constexpr int64_t kWindowNs = 500'000'000;

class MatchJobTest : public testing::SessionFixture {
 protected:
  MatchJobTest() { options_.limits.heat.block_bytes_per_s = 1; }  // whatever is loaded is hot
  std::unique_ptr<WireClient> ConnectWith(uint64_t features) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    EXPECT_TRUE(client->Call(FrameType::kHello, wire::Hello{.features = features, .tenant = "default"}).ok());
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  wire::MatchReply MatchAll(WireClient* client, const std::vector<std::vector<uint8_t>>& keys) {
    wire::Match match;
    for (const auto& key : keys) match.keys.push_back({0, 0, 0, key});
    const auto answer = client->Call(FrameType::kMatch, match);
    EXPECT_TRUE(answer.ok()) << answer.status();
    const absl::StatusOr<wire::MatchReply> reply = wire::MatchReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.value_or(wire::MatchReply{});
  }
};

TEST_F(MatchJobTest, OnlyClientsThatSaidSoAreToldOfHotBlocksAndOfTurns) {
  Start();
  const auto first = ConnectWith(0), copies = ConnectWith(wire::kFeatureHotCopies),
             turns = ConnectWith(wire::kFeatureHotCopies | wire::kFeatureTurns),
             only_turns = ConnectWith(wire::kFeatureTurns);
  const std::vector<std::vector<uint8_t>> keys = {KeyOf(1), KeyOf(2)};
  StoreBlocks(first.get(), keys);
  EXPECT_TRUE(MatchAll(turns.get(), keys).copies.empty()) << "nothing is hot yet";
  for (int i = 0; i < 2; ++i) {
    const std::vector<std::vector<uint8_t>> hot = {keys[1]};
    ASSERT_TRUE(first->Call(FrameType::kLoad, LoadOf(hot)).ok());
    loop_.RunUntil(loop_.NowNs() + kWindowNs + 1);
  }
  EXPECT_TRUE(MatchAll(first.get(), keys).copies.empty());
  EXPECT_TRUE(MatchAll(only_turns.get(), keys).copies.empty());
  const wire::MatchReply without = MatchAll(copies.get(), keys);
  ASSERT_EQ(without.copies.size(), keys.size());
  EXPECT_EQ(without.copies[0], 0);
  EXPECT_GT(without.copies[1], 0);
  EXPECT_TRUE(without.turns.empty()) << "its decoder would refuse them";
  for (uint8_t turn = 0; turn < 5; ++turn) {
    EXPECT_EQ(MatchAll(turns.get(), keys).turns, (std::vector<uint8_t>{0, turn})) << "its own for each block";
  }
}

}  // namespace
}  // namespace incipit
