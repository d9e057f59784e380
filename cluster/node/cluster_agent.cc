#include "cluster/node/cluster_agent.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cache/base/status_macros.h"
#include "cluster/membership/cluster_map_json.h"
#include "cluster/membership/file_membership.h"
#include "cluster/node/node_share.h"
#include "spdlog/spdlog.h"
#include "transport/auth/secret_file.h"
#include "transport/ucx/ucx_address.h"

namespace incipit {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// "tcp=10.0.0.5:9400" as "tcp://10.0.0.5:9400".
absl::StatusOr<std::string> ParseAdvertised(const std::string& text) {
  const size_t equals = text.find('=');
  const std::string lane = text.substr(0, equals);
  const std::string address = equals == std::string::npos ? "" : text.substr(equals + 1);
  if ((lane == "tcp" || lane == "unix" || lane == "ucx") && !address.empty()) {
    return absl::StartsWith(address, lane + "://") ? address : absl::StrCat(lane, "://", address);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--advertise ", text, ": expected LANE=ADDRESS with lane tcp, unix or ucx, as tcp=10.0.0.5:9400"));
}

// An address that stands for all of a host's tells nobody where the host is.
bool IsWildcard(const std::string& address) {
  return absl::StartsWith(address, "0.0.0.0:") || absl::StartsWith(address, "[::]:");
}

uint32_t CapacityGib(const NodeOptions& options) {
  const uint64_t gib = (options.ram_bytes + options.nvme_bytes) >> 30;
  return static_cast<uint32_t>(std::clamp<uint64_t>(gib, 1, kMaxNodeWeight));
}

absl::StatusOr<std::vector<std::string>> PeerLanesOf(const Node& node, const ClusterAgentOptions& options) {
  const bool has_ucx = !node.ucx_address().empty();
  if (options.peer_lane == "ucx" && !has_ucx) {
    return absl::FailedPreconditionError(
        "--peer-lane ucx: this node has no ucx lane; give it one by --listen-ucx, or take --peer-lane auto");
  }
  std::vector<std::string> lanes;
  if (options.peer_lane != "tcp" && has_ucx) lanes.emplace_back("ucx");
  if (options.peer_lane != "ucx") lanes.emplace_back("tcp");
  return lanes;
}

absl::StatusOr<PeerSettings> PeerSettingsOf(const Node& node, const ClusterAgentOptions& options) {
  PeerSettings settings{.node_id = node.identity().node_id, .tenant = options.peer_tenant};
  ASSIGN_OR_RETURN(settings.lanes, PeerLanesOf(node, options));
  if (options.peer_secret_file.empty()) return settings;
  ASSIGN_OR_RETURN(const TenantKey key, ReadSecretFile("--peer-secret-file", options.peer_secret_file));
  settings.key = std::make_shared<const TenantKey>(key);
  return settings;
}

// A map from a file names its nodes by ids that an operator chose: ours is found by where it is.
const ClusterNode* FindSelf(const ClusterMap& map, const ClusterNode& self) {
  if (const ClusterNode* found = map.Find(self.id)) return found;
  for (const ClusterNode& node : map.nodes) {
    for (const std::string& address : node.addresses) {
      if (std::find(self.addresses.begin(), self.addresses.end(), address) != self.addresses.end()) return &node;
    }
  }
  return nullptr;
}

// Shares first: a client acts by the map as soon as it has it. `self`: the node as it describes itself.
void Publish(Node* node, const ClusterMap& map, const ClusterNode& self) {
  const ClusterNode* own = FindSelf(map, self);
  const ClusterShare share = ShareOfNode(map, own == nullptr ? self : *own);
  node->OnEachShard([share](Shard* shard, UringLoop*) { shard->SetClusterShare(share); });
  node->PublishMap(MakePublishedMap(map.epoch, EncodeClusterMap(map)));
}

}  // namespace

absl::StatusOr<ClusterNode> DescribeNode(const Node& node, const ClusterAgentOptions& options) {
  ClusterNode self;
  self.id = node.identity().node_id;
  self.incarnation = node.identity().incarnation;
  self.state = NodeState::kServing;
  self.weight = options.weight != 0 ? options.weight : CapacityGib(node.options());
  self.zone = options.zone;
  self.shards = node.options().shards;
  for (const std::string& text : options.advertise) {
    ASSIGN_OR_RETURN(std::string address, ParseAdvertised(text));
    self.addresses.push_back(std::move(address));
  }
  if (self.AddressOn("tcp").empty()) {
    if (IsWildcard(node.address())) {
      return absl::FailedPreconditionError(absl::StrCat("--listen ", node.options().listen,
                                                        ": also say where clients reach this node: --advertise "
                                                        "tcp=HOST:PORT"));
    }
    self.addresses.insert(self.addresses.begin(), "tcp://" + node.address());
  }
  if (self.AddressOn("ucx").empty() && !node.ucx_address().empty()) {
    if (IsWildcard(node.ucx_address().substr(UcxAddress::kScheme.size()))) {
      spdlog::warn("event=ucx_not_advertised listen_ucx={}; say where clients reach it: --advertise ucx=HOST:PORT?...",
                   node.ucx_address());
    } else {
      self.addresses.push_back(node.ucx_address());
    }
  }
  RETURN_IF_ERROR(CheckClusterNode(self));
  return self;
}

absl::Status ClusterAgent::Check(const ClusterAgentOptions& options) {
  if (options.source.empty()) return absl::InvalidArgumentError("--membership: a file, or redis://...");
  if (RedisAddress::IsOne(options.source)) {
    ASSIGN_OR_RETURN(const RedisAddress address, RedisAddress::Parse(options.source));
    if (!options.sentinel_password_file.empty() && address.sentinels.empty()) {
      return absl::InvalidArgumentError("--membership-sentinel-password-file: --membership names no sentinels");
    }
  }
  if (options.weight > kMaxNodeWeight) {
    return absl::InvalidArgumentError(absl::StrCat("--weight ", options.weight, ": at most ", kMaxNodeWeight));
  }
  if (options.zone.size() > kMaxZoneBytes || !(options.zone.empty() || IsPlainName(options.zone))) {
    return absl::InvalidArgumentError(
        absl::StrCat("--zone ", options.zone, ": at most ", kMaxZoneBytes, " of a-z A-Z 0-9 . _ -"));
  }
  if (options.peer_tenant.empty() || options.peer_tenant.size() > kMaxNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat("--peer-tenant: 1 to ", kMaxNameBytes, " bytes"));
  }
  if (options.peer_lane != "auto" && options.peer_lane != "tcp" && options.peer_lane != "ucx") {
    return absl::InvalidArgumentError(absl::StrCat("--peer-lane ", options.peer_lane, ": expected auto, tcp or ucx"));
  }
  for (const std::string& text : options.advertise) RETURN_IF_ERROR(ParseAdvertised(text).status());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ClusterAgent>> ClusterAgent::Start(Node* node, ClusterAgentOptions options) {
  RETURN_IF_ERROR(Check(options));
  std::unique_ptr<ClusterAgent> agent(new ClusterAgent());
  ASSIGN_OR_RETURN(agent->self_, DescribeNode(*node, options));
  ASSIGN_OR_RETURN(PeerSettings settings, PeerSettingsOf(*node, options));
  if (!RedisAddress::IsOne(options.source)) {
    const std::string path(absl::StripPrefix(options.source, "static:"));
    ASSIGN_OR_RETURN(std::unique_ptr<FileMembership> file, FileMembership::Read(path));
    if (FindSelf(*file->Map(), agent->self_) == nullptr) {
      spdlog::warn("event=cluster_node_absent file={} addresses={}; clients of this map will not ask this node", path,
                   agent->self_.addresses.front());
    }
    const ClusterNode* own = FindSelf(*file->Map(), agent->self_);
    if (own != nullptr) settings.node_id = own->id;
    agent->peers_ = std::make_unique<NodePeers>(node, std::move(settings), 0);
    agent->peers_->OnMap(file->Map(), /*joined=*/false);
    Publish(node, *file->Map(), agent->self_);
    agent->membership_ = std::move(file);
  } else {
    RedisMembershipOptions redis;
    ASSIGN_OR_RETURN(redis.address, RedisAddress::Parse(options.source));
    ASSIGN_OR_RETURN(redis.password, ReadPasswordFile("--membership-password-file", options.password_file));
    ASSIGN_OR_RETURN(redis.sentinel_password,
                     ReadPasswordFile("--membership-sentinel-password-file", options.sentinel_password_file));
    redis.self = agent->self_;
    redis.lease_ms = options.lease_ms;
    agent->peers_ = std::make_unique<NodePeers>(node, std::move(settings), int64_t{options.warm_s} * kSecondNs);
    redis.on_map = [node, peers = agent->peers_.get(),
                    self = agent->self_](const std::shared_ptr<const ClusterMap>& map) {
      peers->OnMap(map, /*joined=*/true);  // before clients have it and ask by it
      Publish(node, *map, self);
    };
    redis.on_fenced = options.on_fenced;
    ASSIGN_OR_RETURN(std::unique_ptr<RedisMembership> started, RedisMembership::Start(std::move(redis)));
    agent->redis_ = started.get();
    agent->membership_ = std::move(started);
  }
  agent->options_ = std::move(options);
  if (agent->redis_ != nullptr) agent->ControlDrains(node);
  return agent;
}

void ClusterAgent::ControlDrains(Node* node) {
  DrainHooks hooks;
  hooks.map = [this] { return Map(); };
  hooks.set_state = [this](NodeState state) { redis_->SetState(state); };
  hooks.begin_moving = [this](uint64_t bytes_per_s) { return peers_->BeginMoving(bytes_per_s); };
  hooks.end_moving = [this](bool takes_stores) { peers_->EndMoving(takes_stores); };
  hooks.leave = [this] { redis_->Stop(RedisMembership::Leaving::kLeave); };
  hooks.exit = [on_drained = options_.on_drained] {
    if (on_drained) on_drained();
  };
  drain_ = std::make_shared<NodeDrain>(self_.id, std::move(hooks));
  node->OnEachShard([drain = drain_](Shard* shard, UringLoop*) { shard->set_control(drain); });
}

ClusterAgent::~ClusterAgent() {
  if (drain_ != nullptr) drain_->Stop();
  if (redis_ != nullptr) redis_->Stop(RedisMembership::Leaving::kKeepLease);
}

void ClusterAgent::Leave() {
  if (drain_ != nullptr) drain_->Stop();
  if (redis_ != nullptr) redis_->Stop(RedisMembership::Leaving::kLeave);
}

ClusterGauges ClusterAgent::gauges() const {
  ClusterGauges gauges;
  gauges.source = options_.source;
  gauges.state = "absent";
  if (const std::shared_ptr<const ClusterMap> map = Map()) {
    gauges.epoch = map->epoch;
    gauges.nodes = map->nodes.size();
    gauges.nodes_serving = static_cast<uint64_t>(std::count_if(
        map->nodes.begin(), map->nodes.end(), [](const auto& each) { return each.state == NodeState::kServing; }));
    if (const ClusterNode* own = FindSelf(*map, self_)) gauges.state = NodeStateName(own->state);
  }
  if (drain_ != nullptr) {
    const wire::DrainReply drain = drain_->Report();
    gauges.drain = wire::DrainStateName(drain.state);
    gauges.drain_progress = drain.progress;
  }
  if (redis_ == nullptr) return gauges;
  const RedisMembershipStatus status = redis_->status();
  gauges.connected = status.connected;
  gauges.joined = status.joined;
  gauges.fenced = status.fenced;
  gauges.renewed_s_ago = std::chrono::duration<double>(std::chrono::steady_clock::now() - status.renewed_at).count();
  gauges.calls = status.calls;
  gauges.errors_unreachable = status.unreachable;
  gauges.errors_refused = status.refused;
  gauges.errors_other = status.failures - status.unreachable - status.refused;
  gauges.bad_records = status.bad_records;
  gauges.last_error = status.last_error.ok() ? "" : std::string(status.last_error.message());
  return gauges;
}

}  // namespace incipit
