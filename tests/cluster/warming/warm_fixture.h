// A cluster in virtual time: nodes with warmers, and clients that send them frames one by one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/warming/placement_history.h"
#include "cluster/warming/shard_warmer.h"
#include "tests/cache/shard/session_fixture.h"
#include "tests/support/tenants.h"

namespace incipit::testing {

class WarmFixture : public SessionFixture {
 protected:
  static constexpr int64_t kSecondNs = 1'000'000'000;
  struct Member {
    std::unique_ptr<SimNode> node;
    std::unique_ptr<Connector> connector;
    std::vector<std::shared_ptr<ShardWarmer>> warmers;
    std::unique_ptr<PlacementHistory> history;
  };
  using States = std::vector<std::pair<uint64_t, NodeState>>;

  ~WarmFixture() override {
    for (auto& [id, member] : members_) member.node->Stop();
  }
  static std::string AddressOf(uint64_t id) { return absl::StrCat("tcp://n", id); }
  // Who connects for a node, and where its map says that it is.
  virtual std::unique_ptr<Connector> MakeConnector(uint64_t id) { return network_.MakeConnector(AddressOf(id)); }
  virtual std::vector<std::string> AddressesOf(uint64_t id) const { return {AddressOf(id)}; }
  void AddNode(uint64_t id, size_t shards = 1, TenantTableRef tenants = nullptr, PeerSettings settings = {}) {
    Member& member = members_[id];
    member.node = std::make_unique<SimNode>(&loop_, &network_, random_.get(), AddressOf(id));
    ShardOptions options = options_;
    options.identity.node_id = id;
    ASSERT_TRUE(member.node->Start(options, std::vector<Disk*>(shards, nullptr), std::move(tenants)).ok());
    member.connector = MakeConnector(id);
    member.history = std::make_unique<PlacementHistory>(id, 60 * kSecondNs);
    settings.node_id = id;
    for (size_t shard = 0; shard < shards; ++shard) {
      member.warmers.push_back(std::make_shared<ShardWarmer>(
          member.node->shard(shard), PeerEnvironment{&loop_, member.connector.get(), random_.get(), settings}));
      member.node->shard(shard)->set_peers(member.warmers.back());
    }
  }
  std::shared_ptr<const ClusterMap> MapOf(const States& states) {
    ClusterMap map;
    map.epoch = ++epoch_;
    map.placement_seed.fill(7);
    for (const auto& [id, state] : states) {
      ClusterNode node;
      node.id = id;
      node.incarnation = 1;
      node.state = state;
      node.addresses = AddressesOf(id);
      map.nodes.push_back(node);
    }
    return std::make_shared<const ClusterMap>(std::move(map));
  }
  void Tell(uint64_t id, const std::shared_ptr<const ClusterMap>& map) {
    Member& member = members_[id];
    const auto plan = member.history->Take(map, loop_.NowNs(), /*joined=*/true);
    for (const auto& warmer : member.warmers) warmer->SetPlan(plan);
  }
  void TellAll(const States& states) {
    const auto map = MapOf(states);
    for (const auto& [id, member] : members_) Tell(id, map);
  }
  std::unique_ptr<WireClient> ClientOf(uint64_t id, uint16_t shard = 0) {
    auto client = std::make_unique<WireClient>(&loop_, &network_, AddressOf(id));
    EXPECT_TRUE(client->SayHello(shard).ok());
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  // Of all keys below `count`, those that `id` owns by a map with these nodes serving.
  std::vector<std::vector<uint8_t>> KeysOf(uint64_t id, const std::vector<uint64_t>& serving, uint64_t count) {
    std::vector<std::vector<uint8_t>> all;
    for (uint64_t number = 0; number < count; ++number) all.push_back(KeyOf(number));
    return Owned(id, serving, all);
  }
  std::vector<std::vector<uint8_t>> Owned(uint64_t id, const std::vector<uint64_t>& serving,
                                          const std::vector<std::vector<uint8_t>>& all) {
    States states;
    for (const uint64_t each : serving) states.emplace_back(each, NodeState::kServing);
    const auto map = MapOf(states);
    std::vector<size_t> owners;
    const auto placement = PlacementOver(*map, &owners);
    const std::vector<uint8_t> framed = FrameNamespace({"default", "model", layout_.Fingerprint()});
    std::vector<std::vector<uint8_t>> keys;
    for (const std::vector<uint8_t>& key : all) {
      std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
      const size_t owner = placement->OwnerOf(FrameIdentity(framed, 0, 0, key, &buffer));
      if (map->nodes[owners[owner]].id == id) keys.push_back(key);
    }
    return keys;
  }
  std::vector<wire::Presence> MatchAt(WireClient* client, const std::vector<std::vector<uint8_t>>& keys) {
    wire::Match match;
    for (const auto& key : keys) match.keys.push_back({0, 0, 0, key});
    auto answer = client->Call(wire::FrameType::kMatch, match);
    EXPECT_TRUE(answer.ok()) << answer.status();
    const auto reply = wire::MatchReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
    return reply.ok() ? reply->presence : std::vector<wire::Presence>();
  }
  static size_t Present(const std::vector<wire::Presence>& presence) {
    return presence.size() - static_cast<size_t>(std::count(presence.begin(), presence.end(), wire::Presence::kMiss));
  }
  // How many of the blocks come back; every byte that does is looked at.
  size_t LoadAt(WireClient* client, const std::vector<std::vector<uint8_t>>& keys, uint32_t deadline_ms = 10'000) {
    wire::Load load = LoadOf(keys);
    load.deadline_ms = deadline_ms;
    std::vector<uint8_t> meta;
    load.Encode(&meta);
    if (!client->SendFrame(wire::FrameType::kLoad, 77, meta).ok()) return 0;
    size_t hits = 0;
    while (true) {
      auto answer = client->Receive();
      if (!answer.ok()) return hits;
      const auto reply = wire::LoadReply::Decode(answer->meta);
      EXPECT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
      if (!reply.ok()) return hits;
      size_t at = 0;
      for (const wire::LoadedBlock& block : reply->blocks) {
        if (block.status != wire::BlockStatus::kOk) continue;
        const auto expected = PayloadOf(keys[block.index], layout_.groups[0].BlockBytes());
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), answer->payload.begin() + at)) << "wrong bytes";
        at += expected.size();
        ++hits;
      }
      if ((answer->header.flags & wire::kFrameFlagLast) != 0) return hits;
    }
  }
  PeerCounters CountersOf(uint64_t id, size_t shard = 0) { return members_[id].warmers[shard]->counters(); }

  std::map<uint64_t, Member> members_;
  uint64_t epoch_ = 0;
};

}  // namespace incipit::testing
