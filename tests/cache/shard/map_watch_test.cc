// GetMap as a client sees it, frame by frame.
#include "cache/shard/map_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cache/shard/session_fixture.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using testing::WireClient;
using wire::FrameType;

constexpr int64_t kMs = 1'000'000;

class MapWatchTest : public testing::SessionFixture {
 protected:
  std::unique_ptr<WireClient> ConnectWith(uint64_t features) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    wire::Hello hello;
    hello.features = features;
    hello.tenant = "default";
    auto answer = client->Call(FrameType::kHello, hello);
    EXPECT_TRUE(answer.ok()) << answer.status();
    agreed_ = wire::HelloReply::Decode(answer->meta)->features;
    return client;
  }
  std::unique_ptr<WireClient> Connect() { return ConnectWith(wire::kFeatureClusterMap); }
  void Publish(uint64_t epoch, const std::string& json) {
    node_.shard(0)->SetClusterMap(MakePublishedMap(epoch, json));
  }
  void Send(WireClient* client, uint64_t request_id, uint64_t known_epoch, uint32_t wait_ms) {
    std::vector<uint8_t> meta;
    wire::GetMap{known_epoch, wait_ms}.Encode(&meta);
    ASSERT_TRUE(client->SendFrame(FrameType::kGetMap, request_id, meta).ok());
  }
  // The epoch and the map of the next answer, and to which request it is.
  void Hear(WireClient* client, uint64_t request_id, uint64_t epoch, const std::string& map) {
    auto answer = client->Receive();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->header.request_id, request_id);
    const auto reply = wire::MapReply::Decode(answer->meta);
    ASSERT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
    EXPECT_EQ(reply->epoch, epoch);
    EXPECT_EQ(reply->map, map);
  }
  uint64_t agreed_ = 0;
};

TEST_F(MapWatchTest, ANodeInNoClusterSaysSo) {
  Start();
  const auto client = Connect();
  EXPECT_EQ(agreed_, wire::kFeatureClusterMap);
  Send(client.get(), 5, 0, 0);
  Hear(client.get(), 5, 0, "");
}

TEST_F(MapWatchTest, TheMapIsGivenOnceAndOnlyIfItIsNewer) {
  Start();
  const auto client = Connect();
  Publish(7, "seven");
  Send(client.get(), 5, 0, 60'000);
  Hear(client.get(), 5, 7, "seven");
  Send(client.get(), 6, 7, 0);
  Hear(client.get(), 6, 7, "");
  Send(client.get(), 7, 9, 0);
  Hear(client.get(), 7, 7, "");  // the client knows more than this node
}

TEST_F(MapWatchTest, AnAnswerIsHeldUntilTheMapChanges) {
  Start();
  const auto client = Connect();
  Publish(7, "seven");
  Send(client.get(), 5, 7, 60'000);
  const int64_t before_ns = loop_.NowNs();
  loop_.Run([](Loop* loop) -> Task<void> { co_await SleepUntil(loop, loop->NowNs() + 500 * kMs); }(&loop_));
  Publish(6, "six");  // older: nothing happened
  Publish(8, "eight");
  Hear(client.get(), 5, 8, "eight");
  EXPECT_LT(loop_.NowNs() - before_ns, 1000 * kMs);
  EXPECT_TRUE(StillServes(client.get()));
}

TEST_F(MapWatchTest, AnAnswerIsHeldNoLongerThanAskedFor) {
  Start();
  const auto client = Connect();
  Publish(7, "seven");
  const int64_t before_ns = loop_.NowNs();
  Send(client.get(), 5, 7, 250);
  Hear(client.get(), 5, 7, "");
  EXPECT_GE(loop_.NowNs() - before_ns, 250 * kMs);
  EXPECT_LT(loop_.NowNs() - before_ns, 1000 * kMs);
}

TEST_F(MapWatchTest, ASecondQuestionEndsTheFirst) {
  Start();
  const auto client = Connect();
  Publish(7, "seven");
  Send(client.get(), 5, 7, 60'000);
  Send(client.get(), 6, 7, 60'000);
  Hear(client.get(), 5, 7, "");
  Publish(8, "eight");
  Hear(client.get(), 6, 8, "eight");
}

TEST_F(MapWatchTest, OtherRequestsGoOnMeanwhileAndACutEndsIt) {
  Start();
  const auto client = Connect();
  Send(client.get(), 5, 0, 60'000);
  EXPECT_TRUE(StillServes(client.get()));
  client->channel()->Close();
  const auto other = Connect();
  EXPECT_TRUE(StillServes(other.get()));  // and the node stops at once, though a minute was asked for
  const int64_t before_ns = loop_.NowNs();
  node_.Stop();
  EXPECT_LT(loop_.NowNs() - before_ns, 1000 * kMs);
}

TEST_F(MapWatchTest, WithoutTheFeatureItIsRefused) {
  Start();
  const auto client = ConnectWith(0);
  EXPECT_EQ(agreed_, 0u);
  std::vector<uint8_t> meta;
  wire::GetMap{0, 0}.Encode(&meta);
  EXPECT_THAT(ErrorFor(client.get(), FrameType::kGetMap, meta).message(), HasSubstr("bit 3"));
  EXPECT_TRUE(StillServes(client.get()));
}

TEST_F(MapWatchTest, AMalformedQuestionIsRefused) {
  Start();
  const auto client = Connect();
  EXPECT_EQ(ErrorFor(client.get(), FrameType::kGetMap, {1, 2, 3}).code(), absl::StatusCode::kInvalidArgument);
  std::vector<uint8_t> meta;
  wire::GetMap{0, wire::kMaxMapWaitMs + 1}.Encode(&meta);
  EXPECT_EQ(ErrorFor(client.get(), FrameType::kGetMap, meta).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(StillServes(client.get()));
}

}  // namespace
}  // namespace incipit
