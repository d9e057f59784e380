// Stats that ask for the activity, as a client sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cache/shard/session_fixture.h"
#include "tests/support/tenants.h"
#include "transport/wire/activity_messages.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::WireClient;
using wire::FrameType;

class SessionActivityTest : public testing::SessionFixture {
 protected:
  std::unique_ptr<WireClient> ConnectWith(uint64_t features, const std::string& tenant = "default") {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    wire::Hello hello;
    hello.features = features;
    hello.tenant = tenant;
    auto answer = client->Call(FrameType::kHello, hello);
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(wire::HelloReply::Decode(answer->meta)->features, features);
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  wire::DetailedStats Ask(WireClient* client) {
    auto answer = client->Call(FrameType::kStats, wire::StatsRequest{.activity = true});
    EXPECT_TRUE(answer.ok()) << answer.status();
    auto stats = wire::DetailedStats::Decode(answer->meta);
    EXPECT_TRUE(stats.ok()) << stats.status() << WireClient::ErrorOf(*answer);
    return stats.ok() ? *std::move(stats) : wire::DetailedStats();
  }
  void Match(WireClient* client, const std::vector<std::vector<uint8_t>>& keys) {
    wire::Match match;
    for (const auto& key : keys) match.keys.push_back({0, 0, 0, key});
    EXPECT_TRUE(client->Call(FrameType::kMatch, match).ok());
  }
};

TEST_F(SessionActivityTest, NamespacesTellWhatWasAskedForAndFound) {
  Start();
  const auto client = ConnectWith(wire::kFeatureActivity);
  EXPECT_TRUE(Ask(client.get()).activity.namespaces.empty()) << "opened only";
  StoreBlocks(client.get(), {KeyOf(1), KeyOf(2)});
  Match(client.get(), {KeyOf(1), KeyOf(2), KeyOf(3)});
  const wire::DetailedStats stats = Ask(client.get());
  ASSERT_EQ(stats.activity.namespaces.size(), 1u);
  const wire::ActiveNamespace& one = stats.activity.namespaces[0];
  EXPECT_EQ(one.tenant, "default");
  EXPECT_EQ(one.model, "model");
  EXPECT_EQ(one.layout, layout_.name);
  EXPECT_EQ(one.blocks, 2u);
  EXPECT_EQ(one.match_keys, 3u);
  EXPECT_EQ(one.match_hits, 2u);
  EXPECT_EQ(one.load_bytes, 0u);
  EXPECT_FALSE(stats.values.empty());
}

TEST_F(SessionActivityTest, TheBlocksThatAreLoadedMostAreToldHottestFirst) {
  Start();
  const auto client = ConnectWith(wire::kFeatureActivity);
  const std::vector<uint8_t> cool = KeyOf(1), hot = KeyOf(2);
  StoreBlocks(client.get(), {cool, hot});
  const int64_t begin_ns = loop_.NowNs();
  const auto load = [&](const std::vector<uint8_t>& key) {
    const std::vector<std::vector<uint8_t>> keys = {key};
    wire::Load request = LoadOf(keys);
    request.stamp_ns = static_cast<uint64_t>(loop_.WallNs());
    EXPECT_TRUE(client->Call(FrameType::kLoad, request).ok());
  };
  load(cool);
  for (int i = 0; i < 5; ++i) load(hot);
  loop_.RunUntil(begin_ns + 1'000'000'000);
  const wire::Activity activity = Ask(client.get()).activity;
  ASSERT_EQ(activity.hottest.size(), 2u);
  EXPECT_TRUE(std::equal(activity.hottest[0].key_start.begin(), activity.hottest[0].key_start.end(), hot.begin()));
  EXPECT_GT(activity.hottest[0].bytes_per_s, 4 * activity.hottest[1].bytes_per_s);
  EXPECT_EQ(activity.hottest[0].block_tokens, layout_.groups[0].block_tokens);
  EXPECT_NE(activity.hottest[0].stamp_ns, 0u);
  EXPECT_EQ(activity.namespaces[activity.hottest[0].name_space].load_bytes, 6 * layout_.groups[0].BlockBytes());
}

TEST_F(SessionActivityTest, ATenantIsToldOfItsOwnAloneAndAnAdminOfAll) {
  const RoleSet all = Role::kRead | Role::kWrite | Role::kAdmin;
  const auto tenants =
      testing::MakeTable({testing::MakeTenant("a"), testing::MakeTenant("b"), testing::MakeTenant("ops", all)});
  ASSERT_TRUE(node_.Start(options_, {nullptr}, tenants).ok());
  const auto connect_as = [&](const std::string& tenant) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    testing::HandCredentials hand(client.get(), tenant, 0);
    hand.hello.features |= wire::kFeatureActivity;
    EXPECT_TRUE(hand.Prove(testing::KeyOfTenant(tenant)).ok());
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  };
  const auto a = connect_as("a"), b = connect_as("b"), ops = connect_as("ops");
  for (WireClient* client : {a.get(), b.get()}) {
    StoreBlocks(client, {KeyOf(1)});
    Match(client, {KeyOf(1)});
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
    EXPECT_TRUE(client->Call(FrameType::kLoad, LoadOf(keys)).ok());
  }
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  for (const auto& [client, tenant] : {std::pair(a.get(), "a"), std::pair(b.get(), "b")}) {
    const wire::Activity activity = Ask(client).activity;
    ASSERT_EQ(activity.namespaces.size(), 1u);
    EXPECT_EQ(activity.namespaces[0].tenant, tenant);
    EXPECT_EQ(activity.hottest.size(), 1u);
  }
  EXPECT_EQ(Ask(ops.get()).activity.namespaces.size(), 2u);
  EXPECT_EQ(Ask(ops.get()).activity.hottest.size(), 2u);
}

TEST_F(SessionActivityTest, WithoutTheFeatureOnlyValuesMayBeAskedFor) {
  Start();
  const auto client = ConnectWith(0);
  EXPECT_EQ(ErrorFor(client.get(), FrameType::kStats, {1}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorFor(client.get(), FrameType::kStats, {7}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ErrorFor(client.get(), FrameType::kStats, {}).ok());
  EXPECT_TRUE(StillServes(client.get()));
}

}  // namespace
}  // namespace incipit
