#include "tests/support/cluster_sim/sim_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cluster/membership/cluster_map_json.h"
#include "tests/support/tenants.h"

namespace incipit::testing {
namespace {

constexpr int64_t kRefusedMs = 50;
constexpr size_t kBlocksPerChain = 20;
constexpr uint32_t kBlockTokens = 16;
constexpr uint32_t kLeaseMs = 2000;
constexpr uint32_t kDeadlinesMs[] = {200, 400, 1000};

std::shared_ptr<const ClusterMap> Received(const std::string& text) {
  absl::StatusOr<ClusterMap> map = DecodeClusterMap(text);
  return map.ok() ? std::make_shared<const ClusterMap>(*std::move(map)) : nullptr;
}

}  // namespace

SimClient::Chain SharedChain(uint64_t number, size_t blocks) {
  SimClient::Chain chain;
  for (size_t i = 0; i < blocks; ++i) chain.push_back(KeyOf(number * 1000 + i));
  return chain;
}

SimClient::SimClient(ClusterWorld* world, SimClientOptions options, MapOf map_of)
    : world_(world), options_(std::move(options)), map_of_(std::move(map_of)) {
  const std::string& owner = options_.owner.empty() ? options_.tenant : options_.owner;
  framed_namespace_ = FrameNamespace({owner, "model", world_->layout.Fingerprint()});
}

std::vector<uint8_t> SimClient::Payload(const std::vector<uint8_t>& key) const {
  return PayloadOf(key, world_->layout.groups[0].BlockBytes(), options_.version);
}

Task<void> SimClient::FollowMap() {
  while (!stopped_) {
    const size_t known = map_ == nullptr ? 0 : map_->nodes.size();
    const uint64_t choice = world_->random->Below(known + 2);
    const std::string address = choice < known ? map_->nodes[choice].addresses[0] : options_.seed();
    const uint64_t epoch = map_ == nullptr ? 0 : map_->epoch;
    world_->Send(name(), address, [this, address, epoch] {
      const std::shared_ptr<const ClusterMap> map = map_of_(address);
      if (map == nullptr) world_->Send(address, name(), [this] { refused_ = true; });
      if (map == nullptr || map->epoch <= epoch) return;
      world_->Send(address, name(), [this, text = EncodeClusterMap(*map)] { Offer(Received(text)); });
    });
    // As MapFollower: where nobody listens another node is asked soon.
    const int64_t next_ns = world_->loop.NowNs() + (300 + world_->random->Below(200)) * kSimMs;
    refused_ = false;
    while (!refused_ && world_->loop.NowNs() < next_ns) {
      co_await SleepUntil(&world_->loop, std::min(next_ns, world_->loop.NowNs() + kRefusedMs * kSimMs));
    }
  }
}

void SimClient::Offer(std::shared_ptr<const ClusterMap> map) {
  if (map == nullptr) {
    world_->Violated(absl::StrCat(name(), " got a map that does not decode"));
    return;
  }
  if (!IsNewerMap(map_.get(), *map)) return;
  world_->CheckMap(name(), map_.get(), *map);
  map_ = std::move(map);
  absl::StatusOr<ClusterRoute> route = ClusterRoute::Over(map_, framed_namespace_);
  if (route.ok()) route_ = std::make_shared<const ClusterRoute>(*std::move(route));
}

SimClient::Peer* SimClient::PeerAt(const std::string& address) {
  std::unique_ptr<Peer>& peer = peers_[address];
  if (peer != nullptr) return peer.get();
  peer = std::make_unique<Peer>();
  peer->address = address;
  peer->connector = world_->network.MakeConnector(name());
  ClientOptions options;
  options.address = address;
  options.tenant = options_.tenant;
  options.namespace_owner = options_.owner;
  if (world_->plan.with_tenants) options.secret = SecretOf(options_.tenant);
  options.model = "model";
  options.layout = world_->layout;
  options.connect_timeout_ms = 500;
  peer->core = std::make_unique<ClientCore>(&world_->loop, peer->connector.get(), world_->random.get(), options);
  peer->core->Start();
  return peer.get();
}

Task<void> SimClient::Disconnect() {
  for (const auto& [address, peer] : peers_) {
    if (!world_->plan.flips && !world_->plan.disk_faults && peer->core->counters().damaged_segments > 0) {
      world_->Violated(absl::StrCat(name(), ": damage from ", address, " without a cause"));
    }
    Task<void> stopping = peer->core->Stop();
    co_await stopping;
  }
}

SimClient::Flight SimClient::Plan(const Chain* chain, size_t blocks, uint32_t deadline_ms) {
  Flight flight;
  flight.route = route_;
  flight.chain = chain;
  flight.deadline_ms = deadline_ms;
  flight.start_ns = world_->loop.NowNs();
  flight.status.assign(blocks, BlockStatus::kExpired);
  flight.present.assign(blocks, 0);
  flight.removals.assign(blocks, 0);
  flight.payloads.resize(blocks);
  std::vector<size_t> share_of(flight.route->owners.size(), SIZE_MAX);
  for (size_t i = 0; i < blocks; ++i) {
    const size_t owner = flight.route->OwnerOf(0, (*chain)[i]);
    const ClusterNode& node = flight.route->NodeAt(owner);
    if (i == 0 && options_.version == 0) world_->CheckOwner(flight.route->map->epoch, (*chain)[i], node.id);
    if (share_of[owner] == SIZE_MAX) {
      share_of[owner] = flight.shares.size();
      flight.shares.push_back({.peer = PeerAt(node.addresses[0]), .node_id = node.id, .blocks = {}, .lease = Lease()});
    }
    flight.shares[share_of[owner]].blocks.push_back(i);
  }
  return flight;
}

uint32_t SimClient::LeftMs(const Flight& flight) const {
  const int64_t left_ms = flight.deadline_ms - (world_->loop.NowNs() - flight.start_ns) / kSimMs;
  return static_cast<uint32_t>(std::max<int64_t>(left_ms, 1));
}

Task<void> SimClient::All(Flight* flight, Step step) {
  TaskScope scope(&world_->loop);
  for (Share& share : flight->shares) scope.Spawn((this->*step)(flight, &share));
  co_await scope.Join();
}

void SimClient::CheckInTime(const Flight& flight, const char* what) {
  ++world_->totals.calls;
  const int64_t took_ms = (world_->loop.NowNs() - flight.start_ns) / kSimMs;
  if (took_ms * 10 > int64_t{flight.deadline_ms} * 11) {
    world_->Violated(absl::StrCat(name(), ": a ", what, " of ", flight.deadline_ms, " ms took ", took_ms, " ms"));
  }
}

Task<void> SimClient::StoreShare(Flight* flight, Share* share) {
  StoreRequest request;
  request.deadline_ms = LeftMs(*flight);
  for (const size_t i : share->blocks) {
    flight->payloads[i] = Payload((*flight->chain)[i]);
    StoreItem item;
    item.key = (*flight->chain)[i];
    item.depth_tokens = static_cast<uint32_t>(i * kBlockTokens);
    item.buffer = {flight->payloads[i].data(), flight->payloads[i].size()};
    request.items.push_back(item);
  }
  Task<absl::StatusOr<StatusResult>> storing = share->peer->core->Store(std::move(request));
  const absl::StatusOr<StatusResult> result = co_await storing;
  if (!result.ok()) co_return;
  for (size_t at = 0; at < share->blocks.size(); ++at) {
    flight->status[share->blocks[at]] = result->status[at];
    // What is only compared, because another writer was first, is not hashed: a flipped bit of its checksums looks the
    // same.
    if (result->status[at] == BlockStatus::kConflict && !world_->plan.flips) {
      world_->Violated(absl::StrCat(name(), ": other bytes were there under a key"));
    }
  }
}

Task<uint64_t> SimClient::StoreChain(const Chain* chain, size_t blocks, uint32_t deadline_ms) {
  Flight flight = Plan(chain, blocks, deadline_ms);
  Task<void> storing = All(&flight, &SimClient::StoreShare);
  co_await storing;
  CheckInTime(flight, "store");
  uint64_t stored = 0;
  for (const BlockStatus status : flight.status) {
    stored += status == BlockStatus::kOk || status == BlockStatus::kPresent;
  }
  world_->totals.stored += stored;
  world_->Note(stored);
  co_return stored;
}

Task<void> SimClient::MatchShare(Flight* flight, Share* share) {
  std::vector<BlockKey> keys;
  for (const size_t i : share->blocks) {
    keys.emplace_back(ByteView((*flight->chain)[i]));
    // Before it is asked: the node may have answered before a removal whose own answer is here first.
    flight->removals[i] = world_->removals[std::string(AsText((*flight->chain)[i]))];
  }
  MatchRequest request;
  request.groups = {KeyList(keys)};
  request.lease_ms = kLeaseMs;
  request.deadline_ms = LeftMs(*flight);
  share->connections = share->peer->core->counters().connections;
  Task<absl::StatusOr<MatchResult>> matching = share->peer->core->Match(std::move(request));
  absl::StatusOr<MatchResult> match = co_await matching;
  if (!match.ok()) co_return;
  for (size_t at = 0; at < share->blocks.size(); ++at) {
    const size_t block = share->blocks[at];
    flight->present[block] = match->presence[0][at] != Presence::kMiss;
  }
  share->lease_ms = match->lease_ms;
  share->lease = std::move(match->lease);
}

Task<void> SimClient::LoadShare(Flight* flight, Share* share, size_t blocks) {
  LoadRequest request;
  request.deadline_ms = LeftMs(*flight);
  std::vector<size_t> asked;
  for (const size_t i : share->blocks) {
    if (i >= blocks) continue;
    flight->payloads[i].assign(world_->layout.groups[0].BlockBytes(), 0xa5);
    LoadItem item;
    item.key = (*flight->chain)[i];
    item.depth_tokens = static_cast<uint32_t>(i * kBlockTokens);
    item.buffer = {flight->payloads[i].data(), flight->payloads[i].size()};
    request.items.push_back(item);
    asked.push_back(i);
  }
  if (asked.empty()) co_return;
  Task<absl::StatusOr<LoadResult>> loading = share->peer->core->Load(std::move(request));
  const absl::StatusOr<LoadResult> result = co_await loading;
  if (!result.ok()) {
    world_->Violated(absl::StrCat(name(), ": a load failed: ", result.status().ToString()));
    co_return;
  }
  for (size_t at = 0; at < asked.size(); ++at) {
    flight->status[asked[at]] = result->status[at];
    if (result->status[at] == BlockStatus::kOk) CheckHit(*flight, asked[at]);
    if (result->status[at] == BlockStatus::kMiss) CheckLease(*flight, *share, asked[at]);
  }
}

void SimClient::CheckHit(const Flight& flight, size_t block) {
  ++world_->totals.hits;
  if (!options_.owner.empty()) world_->Violated(absl::StrCat(name(), " got a block of ", options_.owner));
  if (flight.payloads[block] == Payload((*flight.chain)[block])) return;
  world_->Violated(absl::StrCat(name(), ": WRONG BYTES of block ", block));
}

// What a lease names may vanish only by removal, with its connection, or with its device.
void SimClient::CheckLease(const Flight& flight, const Share& share, size_t block) {
  ++world_->totals.misses;
  if (!flight.present[block] || !share.lease.held() || world_->plan.disk_faults || world_->plan.index_hash_bits < 64) {
    return;
  }
  const int64_t held_ms = (world_->loop.NowNs() - flight.matched_ns) / kSimMs;
  const bool same_session = share.peer->core->counters().connections == share.connections;
  const bool removed = world_->removals[std::string(AsText((*flight.chain)[block]))] != flight.removals[block];
  const ByteView key((*flight.chain)[block]);
  if (world_->FoundElsewhere(share.peer->address, key, flight.matched_ns)) return;
  // One that began before the match may take effect after it, and its answer come after the load's.
  const auto removing = world_->removing.find(std::string(AsText((*flight.chain)[block])));
  if (removing != world_->removing.end() && removing->second > 0) return;
  if (!same_session || removed || share.lease_ms == 0 || held_ms + 200 >= share.lease_ms) return;
  world_->Violated(absl::StrCat(name(), ": a block vanished while a lease named it"));
}

Task<uint64_t> SimClient::LoadChain(const Chain* chain, size_t blocks, uint32_t deadline_ms, bool linger) {
  Flight flight = Plan(chain, blocks, deadline_ms);
  flight.matched_ns = world_->loop.NowNs();
  Task<void> matching = All(&flight, &SimClient::MatchShare);
  co_await matching;
  CheckInTime(flight, "match");
  size_t length = 0;
  while (length < blocks && flight.present[length]) ++length;
  world_->Note(length);
  if (!options_.owner.empty()) length = blocks;  // an intruder asks for all the same
  if (length == 0) co_return 0;
  if (linger) {  // as an engine that is busy: the lease must hold
    co_await SleepUntil(&world_->loop,
                        world_->loop.NowNs() + static_cast<int64_t>(world_->random->Below(800)) * kSimMs);
  }
  flight.start_ns = world_->loop.NowNs();
  TaskScope scope(&world_->loop);
  for (Share& share : flight.shares) scope.Spawn(LoadShare(&flight, &share, length));
  co_await scope.Join();
  CheckInTime(flight, "load");
  for (const Share& share : flight.shares) world_->totals.leases_checked += share.lease.held();
  const auto hits = static_cast<uint64_t>(
      std::count(flight.status.begin(), flight.status.begin() + static_cast<int64_t>(length), BlockStatus::kOk));
  world_->Note(hits);
  co_return hits;
}

Task<void> SimClient::RemoveShare(Flight* flight, Share* share) {
  RemoveRequest request;
  request.deadline_ms = LeftMs(*flight);
  for (const size_t i : share->blocks) {
    const std::vector<uint8_t>& key = (*flight->chain)[i];
    request.blocks.push_back({0, static_cast<uint32_t>(i * kBlockTokens), key});
    ++world_->removals[std::string(AsText(key))];
    ++world_->removing[std::string(AsText(key))];
  }
  Task<absl::StatusOr<StatusResult>> removing = share->peer->core->Remove(std::move(request));
  const absl::StatusOr<StatusResult> result = co_await removing;
  for (size_t at = 0; at < share->blocks.size(); ++at) {
    const std::string key(AsText((*flight->chain)[share->blocks[at]]));
    ++world_->removals[key];
    --world_->removing[key];
  }
}

Task<void> SimClient::Work() {
  const ClusterSimPlan& plan = world_->plan;
  while (!stopped_) {
    co_await SleepUntil(&world_->loop,
                        world_->loop.NowNs() +
                            static_cast<int64_t>(plan.pause_ms / 20 + world_->random->Below(plan.pause_ms)) * kSimMs);
    if (route_ == nullptr || stopped_) continue;
    const Chain chain = SharedChain(world_->random->Below(plan.chains), kBlocksPerChain);
    const size_t blocks = 1 + world_->random->Below(kBlocksPerChain);
    const uint32_t deadline_ms = kDeadlinesMs[world_->random->Below(std::size(kDeadlinesMs))];
    const uint64_t what = world_->random->Below(20);
    if (what < plan.removals && options_.owner.empty()) {
      Flight flight = Plan(&chain, std::min<size_t>(blocks, 4), deadline_ms);
      Task<void> removing = All(&flight, &SimClient::RemoveShare);
      co_await removing;
      CheckInTime(flight, "remove");
    } else if (what < plan.removals + 8 && options_.owner.empty()) {
      Task<uint64_t> storing = StoreChain(&chain, blocks, deadline_ms);
      co_await storing;
    } else {
      Task<uint64_t> loading = LoadChain(&chain, blocks, deadline_ms, what < plan.removals + 12);
      co_await loading;
    }
  }
}

Task<bool> SimClient::MustWork() {
  const Chain chain = SharedChain(1000 + Xxh3Of(AsBytes(name())) % 1000, 2);
  for (int attempt = 0; attempt < 8; ++attempt) {
    Task<uint64_t> storing = StoreChain(&chain, chain.size(), 1000);
    const uint64_t stored = co_await storing;
    Task<uint64_t> loading = LoadChain(&chain, chain.size(), 1000, false);
    const uint64_t loaded = co_await loading;
    if (stored == chain.size() && loaded == chain.size()) co_return true;
    co_await SleepUntil(&world_->loop, world_->loop.NowNs() + 500 * kSimMs);
  }
  co_return false;
}

}  // namespace incipit::testing
