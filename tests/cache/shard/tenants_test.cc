// Whole sessions of tenants against a node in virtual time: handshake, roles, grants, reload.
#include <gtest/gtest.h>

#include "tests/cache/shard/session_fixture.h"
#include "tests/support/tenants.h"

namespace incipit {
namespace {

using testing::HandCredentials;
using testing::KeyOf;
using testing::KeyOfTenant;
using testing::MakeTable;
using testing::MakeTenant;
using testing::WireClient;

constexpr RoleSet kBoth = Role::kRead | Role::kWrite;

class TenantsTest : public testing::SessionFixture {
 protected:
  void StartWith(TenantTableRef tenants) {
    options_.audit = [this](const std::string& line) { audit_.push_back(line); };
    ASSERT_TRUE(node_.Start(options_, {nullptr, nullptr}, std::move(tenants)).ok());
  }
  std::unique_ptr<WireClient> NewClient() { return std::make_unique<WireClient>(&loop_, &network_, "node"); }
  // A session on shard 0 with namespace 0 open.
  std::unique_ptr<WireClient> ConnectAs(const std::string& tenant) {
    auto client = NewClient();
    const absl::Status proven = HandCredentials(client.get(), tenant, 0).Prove(KeyOfTenant(tenant));
    EXPECT_TRUE(proven.ok()) << proven;
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  absl::StatusOr<uint32_t> OpenShared(WireClient* client, const std::string& owner, const std::string& model) {
    auto answer = client->Call(wire::FrameType::kOpenShared,
                               wire::OpenShared{.owner = owner, .model = model, .layout = layout_.Encode()});
    if (!answer.ok()) return answer.status();
    if (answer->header.type == wire::FrameType::kError) return WireClient::ErrorOf(*answer);
    return wire::OpenNamespaceReply::Decode(answer->meta)->namespace_id;
  }
  // What the node says to each verb about block 1 in a namespace; OK if it serves it.
  absl::Status Try(WireClient* client, wire::FrameType type, uint32_t name_space = 0) {
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
    const wire::KeyBatch batch = LoadOf(keys).keys;
    std::vector<uint8_t> payload;
    wire::Store store = StoreOf(keys, &payload);
    store.namespace_id = name_space;
    absl::StatusOr<testing::Answer> answer = absl::UnknownError("no such verb");
    if (type == wire::FrameType::kMatch)
      answer = client->Call(type, wire::Match{.namespace_id = name_space, .keys = batch});
    if (type == wire::FrameType::kLoad)
      answer = client->Call(type, wire::Load{.namespace_id = name_space, .keys = batch});
    if (type == wire::FrameType::kTouch)
      answer = client->Call(type, wire::Touch{.namespace_id = name_space, .keys = batch});
    if (type == wire::FrameType::kOffer)
      answer = client->Call(type, wire::Offer{.namespace_id = name_space, .keys = batch});
    if (type == wire::FrameType::kRemove)
      answer = client->Call(type, wire::Remove{.namespace_id = name_space, .keys = batch});
    if (type == wire::FrameType::kStore) answer = client->Call(type, store, payload);
    return answer.ok() ? WireClient::ErrorOf(*answer) : answer.status();
  }
  // Which of the verbs the session may use in a namespace.
  std::string Allowed(WireClient* client, uint32_t name_space = 0) {
    std::string allowed;
    for (const wire::FrameType type : {wire::FrameType::kMatch, wire::FrameType::kLoad, wire::FrameType::kTouch,
                                       wire::FrameType::kOffer, wire::FrameType::kStore, wire::FrameType::kRemove}) {
      const absl::Status status = Try(client, type, name_space);
      EXPECT_TRUE(status.ok() || absl::IsPermissionDenied(status)) << wire::FrameTypeName(type) << ": " << status;
      if (status.ok()) allowed += std::string(wire::FrameTypeName(type)) + " ";
    }
    return allowed;
  }
  wire::BlockStatus LoadStatus(WireClient* client, uint32_t name_space = 0) {
    const std::vector<std::vector<uint8_t>> keys = {KeyOf(1)};
    wire::Load load = LoadOf(keys);
    load.namespace_id = name_space;
    auto answer = client->Call(wire::FrameType::kLoad, load);
    return wire::LoadReply::Decode(answer->meta)->blocks[0].status;
  }
  std::map<std::string, uint64_t> Stats(WireClient* client) {
    EXPECT_TRUE(client->SendFrame(wire::FrameType::kStats, 77, {}).ok());
    const auto reply = wire::StatsReply::Decode(client->Receive()->meta);
    return {reply->values.begin(), reply->values.end()};
  }
  const ShardCounters& counters() { return *node_.shard(0)->counters(); }

  std::vector<std::string> audit_;
};

TEST_F(TenantsTest, RightSecretOpensASessionOnEveryShard) {
  StartWith(MakeTable({MakeTenant("acme")}));
  for (const uint16_t shard : {wire::kAnyShard, uint16_t{0}, uint16_t{1}}) {
    auto client = NewClient();
    const absl::Status proven = HandCredentials(client.get(), "acme", shard).Prove(KeyOfTenant("acme"));
    EXPECT_TRUE(proven.ok()) << proven;
    EXPECT_TRUE(StillServes(client.get()));
  }
  EXPECT_TRUE(audit_.empty());
}

TEST_F(TenantsTest, WrongSecretAndUnknownTenantGetTheSameAnswerAndNoSession) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto wrong = NewClient(), unknown = NewClient();
  const absl::Status first = HandCredentials(wrong.get(), "acme").Prove(KeyOfTenant("guess"));
  const absl::Status second = HandCredentials(unknown.get(), "nobody").Prove(KeyOfTenant("nobody"));
  EXPECT_TRUE(absl::IsUnauthenticated(first)) << first;
  EXPECT_EQ(first, second);
  for (WireClient* client : {wrong.get(), unknown.get()}) EXPECT_TRUE(absl::IsUnavailable(client->Receive().status()));
  EXPECT_EQ(counters().sessions_opened, 0u);
  EXPECT_EQ(node_.authenticator()->counters().failures, 2u);
  EXPECT_EQ(audit_.size(), 2u);
}

TEST_F(TenantsTest, ClientWithoutCredentialsIsRefused) {
  StartWith(MakeTable({MakeTenant("acme")}));
  EXPECT_TRUE(absl::IsUnauthenticated(NewClient()->SayHello(0, "acme").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(NewClient()->SayHello(0, "default").status()));
}

TEST_F(TenantsTest, ProofOfAnotherSessionIsRefusedWhenReplayed) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto honest = NewClient();
  HandCredentials recorded(honest.get(), "acme");
  ASSERT_TRUE(recorded.SayHello().ok());
  const wire::Proof proof = recorded.ProofBy(KeyOfTenant("acme"));
  ASSERT_TRUE(recorded.Send(proof, KeyOfTenant("acme")).ok());
  auto thief = NewClient();
  HandCredentials replay(thief.get(), "acme");
  ASSERT_TRUE(replay.SayHello().ok());
  EXPECT_NE(replay.server_nonce, recorded.server_nonce);
  EXPECT_TRUE(absl::IsUnauthenticated(replay.Send(proof, KeyOfTenant("acme"))));
}

TEST_F(TenantsTest, ProofForOneShardOrClientIsNoneForAnother) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto client = NewClient();
  HandCredentials credentials(client.get(), "acme", 0);
  ASSERT_TRUE(credentials.SayHello().ok());
  credentials.hello.client_id = 8;  // what was sent said 7
  credentials.hello_meta.clear();
  credentials.hello.Encode(&credentials.hello_meta);
  EXPECT_TRUE(absl::IsUnauthenticated(credentials.Send(credentials.ProofBy(KeyOfTenant("acme")), KeyOfTenant("acme"))));
}

TEST_F(TenantsTest, AnythingButAProofEndsTheConnection) {
  StartWith(MakeTable({MakeTenant("acme")}));
  std::vector<uint8_t> truncated(63, 1), oversized(65, 1), ping, match;
  wire::Match{.keys = {{0, 0, 0, truncated}}}.Encode(&match);
  for (const auto& [type, meta] : {std::pair{wire::FrameType::kProof, truncated},
                                   {wire::FrameType::kProof, oversized},
                                   {wire::FrameType::kPing, ping},
                                   {wire::FrameType::kMatch, match}}) {
    auto client = NewClient();
    ASSERT_TRUE(HandCredentials(client.get(), "acme").SayHello().ok());
    ASSERT_TRUE(client->SendFrame(type, 9, meta).ok());
    const auto answer = client->Receive();
    ASSERT_TRUE(answer.ok());
    EXPECT_FALSE(WireClient::ErrorOf(*answer).ok()) << wire::FrameTypeName(type);
    EXPECT_TRUE(absl::IsUnavailable(client->Receive().status()));
  }
  EXPECT_EQ(counters().sessions_opened, 0u);
}

TEST_F(TenantsTest, SilenceAfterTheChallengeEndsTheConnection) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto client = NewClient();
  ASSERT_TRUE(HandCredentials(client.get(), "acme").SayHello().ok());
  EXPECT_TRUE(absl::IsUnavailable(client->Receive().status()));
}

TEST_F(TenantsTest, FailuresAreAnsweredWithAPauseThatEnds) {
  StartWith(MakeTable({MakeTenant("acme"), MakeTenant("other")}));
  for (uint32_t i = 0; i <= kFreeFailures; ++i) {
    auto client = NewClient();
    EXPECT_TRUE(absl::IsUnauthenticated(HandCredentials(client.get(), "acme").Prove(KeyOfTenant("guess"))));
  }
  auto held = NewClient();
  EXPECT_TRUE(absl::IsResourceExhausted(HandCredentials(held.get(), "acme").SayHello()));
  auto other = NewClient();
  EXPECT_TRUE(HandCredentials(other.get(), "other").Prove(KeyOfTenant("other")).ok());
  loop_.RunUntil(loop_.NowNs() + 2 * kFirstPauseNs);
  auto later = NewClient();
  EXPECT_TRUE(HandCredentials(later.get(), "acme").Prove(KeyOfTenant("acme")).ok());
}

TEST_F(TenantsTest, EveryVerbNeedsItsRole) {
  StartWith(MakeTable({MakeTenant("reader", Role::kRead), MakeTenant("writer", Role::kWrite),
                       MakeTenant("admin", Role::kAdmin), MakeTenant("all", RoleSet::All())}));
  EXPECT_EQ(Allowed(ConnectAs("reader").get()), "Match Load Touch ");
  EXPECT_EQ(Allowed(ConnectAs("writer").get()), "Offer Store Remove ");
  EXPECT_EQ(Allowed(ConnectAs("admin").get()), "Remove ");
  EXPECT_EQ(Allowed(ConnectAs("all").get()), "Match Load Touch Offer Store Remove ");
  EXPECT_EQ(counters().requests_denied, 3u + 3u + 5u);
  EXPECT_EQ(audit_.size(), 11u);
}

TEST_F(TenantsTest, SessionGoesOnAfterARefusedStore) {
  StartWith(MakeTable({MakeTenant("reader", Role::kRead)}));
  auto client = ConnectAs("reader");
  EXPECT_TRUE(absl::IsPermissionDenied(Try(client.get(), wire::FrameType::kStore)));
  EXPECT_TRUE(StillServes(client.get()));
  EXPECT_EQ(node_.shard(0)->Report().gauges.blocks, 0u);
}

TEST_F(TenantsTest, SameKeyOfAnotherTenantIsAMissAndCannotBeRemoved) {
  StartWith(MakeTable({MakeTenant("a"), MakeTenant("b")}));
  auto a = ConnectAs("a"), b = ConnectAs("b");
  ASSERT_EQ(StoreBlocks(a.get(), {KeyOf(1)}), std::vector{wire::BlockStatus::kOk});
  EXPECT_EQ(LoadStatus(b.get()), wire::BlockStatus::kMiss);
  EXPECT_TRUE(Try(b.get(), wire::FrameType::kRemove).ok());
  EXPECT_EQ(LoadStatus(a.get()), wire::BlockStatus::kOk);
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(b.get(), "a", "model").status()));
  EXPECT_EQ(OpenShared(b.get(), "a", "model").status(), OpenShared(b.get(), "nobody", "model").status());
}

TEST_F(TenantsTest, GrantOpensOneNamespaceInItsRolesAndIsRevokedByAReload) {
  const auto tenants = std::vector{MakeTenant("owner"), MakeTenant("guest")};
  StartWith(MakeTable(tenants, {{"owner", "model", "guest", Role::kRead}}));
  auto owner = ConnectAs("owner"), guest = ConnectAs("guest");
  ASSERT_EQ(StoreBlocks(owner.get(), {KeyOf(1)}), std::vector{wire::BlockStatus::kOk});
  const auto shared = OpenShared(guest.get(), "owner", "model");
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(LoadStatus(guest.get(), *shared), wire::BlockStatus::kOk);
  EXPECT_EQ(Allowed(guest.get(), *shared), "Match Load Touch ");
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(guest.get(), "owner", "other model").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(owner.get(), "guest", "model").status()));

  node_.SetTenants(MakeTable(tenants));
  EXPECT_EQ(Allowed(guest.get(), *shared), "");
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(guest.get(), "owner", "model").status()));
  EXPECT_EQ(Allowed(guest.get()), "Match Load Touch Offer Store Remove ") << "its own goes on";

  node_.SetTenants(MakeTable(tenants, {{"owner", "*", "guest", kBoth}}));
  EXPECT_EQ(Allowed(guest.get(), *shared), "Match Load Touch Offer Store Remove ");
}

TEST_F(TenantsTest, AdminRemovesAnybodysBlocksAndReadsNone) {
  StartWith(MakeTable({MakeTenant("a"), MakeTenant("ops", Role::kRead | Role::kAdmin)}));
  auto a = ConnectAs("a"), ops = ConnectAs("ops");
  ASSERT_EQ(StoreBlocks(a.get(), {KeyOf(1)}), std::vector{wire::BlockStatus::kOk});
  const auto shared = OpenShared(ops.get(), "a", "model");
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(Allowed(ops.get(), *shared), "Remove ");
  EXPECT_EQ(LoadStatus(a.get()), wire::BlockStatus::kMiss);
}

TEST_F(TenantsTest, StatsTellATenantItsOwnFiguresAndAnAdminTheNodes) {
  StartWith(MakeTable({MakeTenant("a"), MakeTenant("b"), MakeTenant("ops", Role::kAdmin)}));
  auto a = ConnectAs("a"), b = ConnectAs("b"), ops = ConnectAs("ops");
  ASSERT_EQ(StoreBlocks(a.get(), {KeyOf(1)}), std::vector{wire::BlockStatus::kOk});
  EXPECT_EQ(Stats(a.get())["tenant_blocks"], 1u);
  EXPECT_EQ(Stats(b.get())["tenant_blocks"], 0u);
  EXPECT_FALSE(Stats(b.get()).contains("blocks"));
  EXPECT_EQ(Stats(ops.get())["blocks"], 1u);
}

TEST_F(TenantsTest, ReloadCutsWhoIsGoneAndLeavesTheOthers) {
  StartWith(MakeTable({MakeTenant("stays"), MakeTenant("goes")}));
  auto stays = ConnectAs("stays"), goes = ConnectAs("goes");
  node_.SetTenants(MakeTable({MakeTenant("stays"), MakeTenant("new")}));
  EXPECT_TRUE(absl::IsUnavailable(goes->Receive().status()));
  EXPECT_TRUE(StillServes(stays.get()));
  EXPECT_EQ(counters().sessions_cut, 1u);
  auto again = NewClient();
  EXPECT_TRUE(absl::IsUnauthenticated(HandCredentials(again.get(), "goes").Prove(KeyOfTenant("goes"))));
  EXPECT_TRUE(StillServes(ConnectAs("new").get()));
}

TEST_F(TenantsTest, ChangedSecretCountsForNewSessions) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto before = ConnectAs("acme");
  node_.SetTenants(MakeTable({{.name = "acme", .key = KeyOfTenant("another")}}));
  EXPECT_TRUE(StillServes(before.get()));
  auto old_secret = NewClient(), new_secret = NewClient();
  EXPECT_FALSE(HandCredentials(old_secret.get(), "acme").Prove(KeyOfTenant("acme")).ok());
  EXPECT_TRUE(HandCredentials(new_secret.get(), "acme").Prove(KeyOfTenant("another")).ok());
}

TEST_F(TenantsTest, ShardTakesNobodyWithoutAPassWhateverTheAcceptorSays) {
  StartWith(MakeTable({MakeTenant("acme")}));
  auto listener = *network_.Listen("back door");
  auto client = std::make_unique<WireClient>(&loop_, &network_, "back door");
  auto stream = loop_.Run(listener->Accept());
  ASSERT_TRUE(stream.ok());
  wire::Hello hello;
  hello.tenant = "acme";
  node_.shard(0)->Adopt(std::make_unique<FrameChannel>(*std::move(stream)), hello, 1);
  EXPECT_TRUE(absl::IsUnauthenticated(WireClient::ErrorOf(*client->Receive())));
  EXPECT_EQ(counters().sessions_opened, 0u);
  listener->Close();
}

TEST_F(TenantsTest, QuotaOfOneTenantDoesNotCostAnotherItsBlocks) {
  StartWith(MakeTable({MakeTenant("small", kBoth, 2 * 64 << 10), MakeTenant("big")}));
  auto small = ConnectAs("small"), big = ConnectAs("big");
  std::vector<std::vector<uint8_t>> keys;
  for (uint64_t i = 0; i < 20; ++i) keys.push_back(KeyOf(i));
  StoreBlocks(big.get(), keys);
  for (uint64_t i = 0; i < 3000; ++i) StoreBlocks(small.get(), {KeyOf(i)});
  auto answer = big->Call(wire::FrameType::kMatch, wire::Match{.keys = LoadOf(keys).keys});
  const auto reply = wire::MatchReply::Decode(answer->meta);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->presence, std::vector<wire::Presence>(keys.size(), wire::Presence::kRam));
  const auto stats = Stats(small.get());
  EXPECT_LE(stats.at("tenant_ram_bytes"), 64u << 10);
  EXPECT_GT(stats.at("tenant_evicted_for_quota_total"), 1000u);
}

TEST_F(TenantsTest, AClusterQuotaCountsByTheShareOfTheLastMapAlsoAfterAReload) {
  const auto table = [](uint64_t cluster_bytes) {
    Tenant tenant = MakeTenant("a", kBoth);
    tenant.cluster_ram_quota_bytes = cluster_bytes;
    return MakeTable({tenant});
  };
  StartWith(table(12'000'000));
  auto a = ConnectAs("a");
  const auto quota = [&] { return Stats(a.get()).at("tenant_ram_quota_bytes"); };
  const auto take_map = [&](const ClusterShare& share) {
    for (size_t i = 0; i < node_.shard_count(); ++i) node_.shard(i)->SetClusterShare(share);
  };
  EXPECT_EQ(quota(), 6'000'000u) << "two shards, no map: all of it";
  take_map({.own_weight = 1, .total_weight = 3});
  EXPECT_EQ(quota(), 2'000'000u);
  take_map({.own_weight = 1, .total_weight = 4});
  EXPECT_EQ(quota(), 1'500'000u);
  node_.SetTenants(table(24'000'000));
  EXPECT_EQ(quota(), 3'000'000u);
  EXPECT_EQ(Stats(a.get()).at("tenant_cluster_ram_quota_bytes"), 24'000'000u);
  take_map({.own_weight = 1, .total_weight = 2});
  EXPECT_EQ(quota(), 6'000'000u) << "the tenants of the reload, by the new map";
}

TEST_F(TenantsTest, OpenNodeLetsNobodyIntoAnotherTenantsNamespaces) {
  Start();
  auto client = Connect();
  EXPECT_TRUE(absl::IsPermissionDenied(OpenShared(client.get(), "other", "model").status()));
  EXPECT_TRUE(OpenShared(client.get(), "default", "model").ok());
}

}  // namespace
}  // namespace incipit
