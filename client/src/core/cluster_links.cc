#include "client/src/core/cluster_links.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr std::string_view kScheme = "cluster://";

MapFollowerOptions FollowerOptions(const ClusterLinksOptions& options) {
  MapFollowerOptions follow;
  follow.seeds = options.seeds;
  follow.lane = options.lane;
  follow.tenant = options.connection.handshake.tenant;
  follow.key = options.connection.handshake.key;
  follow.client_name = options.connection.handshake.client_name;
  follow.step_timeout_ms = static_cast<uint32_t>(std::max<int64_t>(options.connection.step_timeout_ns / 1'000'000, 1));
  return follow;
}

std::string LaneOf(const std::string& address) {
  const size_t end = address.find("://");
  return end == std::string::npos ? "tcp" : address.substr(0, end);
}

}  // namespace

bool ClusterLinks::IsClusterAddress(const std::string& address) { return address.starts_with(kScheme); }

absl::Status ClusterLinks::ParseAddress(const std::string& address, std::vector<std::string>* seeds,
                                        std::string* lane) {
  if (!IsClusterAddress(address)) {
    return absl::InvalidArgumentError(fmt::format("address {}: it is to start with {}", address, kScheme));
  }
  *seeds = absl::StrSplit(address.substr(kScheme.size()), ',', absl::SkipWhitespace());
  if (seeds->empty() || seeds->size() > kMaxSeeds) {
    return absl::InvalidArgumentError(
        fmt::format("address {}: {} seeds, allowed are 1 to {}: cluster://HOST:PORT,HOST:PORT names some nodes of the "
                    "cluster",
                    address, seeds->size(), kMaxSeeds));
  }
  *lane = LaneOf(seeds->front());
  for (const std::string& seed : *seeds) {
    if (LaneOf(seed) == *lane) continue;
    return absl::InvalidArgumentError(
        fmt::format("address {}: {} is not on lane {} as the first seed is; one lane is used", address, seed, *lane));
  }
  return absl::OkStatus();
}

ClusterLinks::ClusterLinks(Loop* loop, Connector* connector, Random* random, ClusterLinksOptions options,
                           ClientCounters* counters)
    : loop_(loop),
      connector_(connector),
      random_(random),
      options_(std::move(options)),
      counters_(counters),
      absent_(std::make_shared<ShardConnection>(loop, connector, random, options_.connection, counters)),
      follower_(loop, connector, random,
                [&] {
                  MapFollowerOptions follow = FollowerOptions(options_);
                  follow.on_map = [this](std::shared_ptr<const ClusterMap> map) { TakeMap(map); };
                  follow.on_failure = [this](const absl::Status&) { changed_.Set(); };
                  return follow;
                }()),
      changed_(loop),
      scope_(loop) {
  absent_->StayDown(absl::UnavailableError("the node that owns these blocks has not answered so far"));
}

ClusterLinks::~ClusterLinks() = default;

void ClusterLinks::Start() { follower_.Start(); }

Task<void> ClusterLinks::Stop() {
  stopping_ = true;
  changed_.Set();
  for (auto& [address, member] : members_) scope_.Spawn(Retire(std::move(member)));
  members_.clear();
  serving_.clear();
  Task<void> stopping = follower_.Stop();
  co_await stopping;
  co_await scope_.Join();
}

void ClusterLinks::TakeMap(const std::shared_ptr<const ClusterMap>& map) {
  if (stopping_) return;
  absl::StatusOr<ClusterRoute> route = ClusterRoute::Over(map, options_.framed_namespace);
  if (!route.ok()) return changed_.Set();  // nobody serves: rather those who did a moment ago
  absl::flat_hash_map<std::string, std::shared_ptr<Member>> members;
  // Nodes that leave keep their connections, and what is under way on them, until they are gone.
  for (const ClusterNode& node : map->nodes) {
    const auto found = members_.find(node.AddressOn(options_.lane));
    if (node.state == NodeState::kGone || found == members_.end()) continue;
    members.insert(*found);
  }
  for (auto& [address, member] : members_) {
    if (!members.contains(address)) scope_.Spawn(Retire(member));
  }
  serving_.clear();
  for (const size_t owner : route->owners) {
    const std::string address = map->nodes[owner].AddressOn(options_.lane);
    if (address.empty()) {
      serving_.push_back(nullptr);
      continue;
    }
    std::shared_ptr<Member>& member = members[address];
    if (member == nullptr) {
      ShardConnectionOptions connection = options_.connection;
      connection.address = address;
      member = std::make_shared<Member>(loop_, connector_, random_, std::move(connection), counters_);
      member->links.Start();
      scope_.Spawn(Meet(member));
    }
    serving_.push_back(member);
  }
  members_ = std::move(members);
  route_ = std::make_shared<const ClusterRoute>(*std::move(route));
  placement_ = std::shared_ptr<const ClusterPlacement>(route_, &route_->placement);
  shards_ = nullptr;
  changed_.Set();
}

// Ends when the node has told its shards, when its breaker opens, or after the time for one step of a connection: a
// node that is not there may let all of it pass.
Task<void> ClusterLinks::Meet(std::shared_ptr<Member> member) {
  auto meeting = member->links.Shards(loop_->NowNs() + options_.connection.step_timeout_ns);
  const auto shards = co_await meeting;
  (void)shards;  // Whoever calls looks for itself.
  member->met = true;
  changed_.Set();
}

Task<void> ClusterLinks::Retire(std::shared_ptr<Member> member) {
  Task<void> stopping = member->links.Stop();
  co_await stopping;
}

Task<absl::Status> ClusterLinks::WaitForMap(int64_t deadline_ns) {
  while (route_ == nullptr) {
    if (stopping_) co_return absl::UnavailableError("the client is stopping");
    changed_.Clear();
    const bool changed = co_await changed_.WaitUntil(deadline_ns);
    if (changed || route_ != nullptr) continue;
    const absl::Status& last = follower_.last_error();
    std::string why = follower_.map() != nullptr ? "no node of it serves" : "none gave the cluster's map in time";
    if (!last.ok()) why += fmt::format("; the last node that failed: {}", std::string(last.message()));
    co_return absl::UnavailableError(fmt::format("cluster of {}: {}", fmt::join(options_.seeds, ","), why));
  }
  co_return absl::OkStatus();
}

bool ClusterLinks::AllMet() const {
  return std::all_of(serving_.begin(), serving_.end(),
                     [](const auto& member) { return member == nullptr || member->met; });
}

bool ClusterLinks::AnyKnown() const {
  return std::any_of(serving_.begin(), serving_.end(),
                     [](const auto& member) { return member != nullptr && member->links.current() != nullptr; });
}

// They were waited for once, which is enough: others who call would lose time too.
void ClusterLinks::StopWaiting() {
  for (const auto& member : serving_) {
    if (member != nullptr) member->met = true;
  }
}

Task<bool> ClusterLinks::WaitMet(int64_t deadline_ns) {
  while (!AllMet()) {
    changed_.Clear();
    const bool changed = co_await changed_.WaitUntil(deadline_ns);
    if (!changed || stopping_) co_return AllMet();
  }
  co_return true;
}

Task<absl::StatusOr<std::shared_ptr<ShardSet>>> ClusterLinks::Shards(int64_t deadline_ns) {
  Task<absl::Status> waiting = WaitForMap(deadline_ns);
  absl::Status status = co_await waiting;
  if (!status.ok()) co_return status;
  if (!AllMet()) {
    const int64_t now_ns = loop_->NowNs();
    Task<bool> meeting = WaitMet(now_ns + (deadline_ns - now_ns) / 2);
    const bool met = co_await meeting;
    if (!met) StopWaiting();
  }
  if (stopping_) co_return absl::UnavailableError("the client is stopping");
  co_return CurrentShards();
}

Task<absl::Status> ClusterLinks::WaitAllReady(int64_t deadline_ns) {
  Task<absl::Status> waiting = WaitForMap(deadline_ns);
  absl::Status status = co_await waiting;
  if (!status.ok()) co_return status;
  // One that does not answer must not take all the time, unless there is no other.
  const int64_t now_ns = loop_->NowNs();
  Task<bool> meeting = WaitMet(now_ns + (deadline_ns - now_ns) / 4);
  bool met = co_await meeting;
  if (!met && !AnyKnown()) {
    Task<bool> waiting_on = WaitMet(deadline_ns);
    met = co_await waiting_on;
  }
  if (!met) StopWaiting();
  absl::Status first_trouble;
  const std::vector<std::shared_ptr<Member>> serving = serving_;
  bool any_ready = false;
  for (const auto& member : serving) {
    if (member == nullptr) {
      first_trouble.Update(absl::UnavailableError(fmt::format("cluster of {}: a node has no address on lane {}",
                                                              fmt::join(options_.seeds, ","), options_.lane)));
      continue;
    }
    // Those that have answered are asked first: one that does not must not take the time for the others.
    Task<absl::Status> getting_ready =
        member->links.WaitAllReady(member->links.current() == nullptr ? loop_->NowNs() : deadline_ns);
    absl::Status ready = co_await getting_ready;
    any_ready |= ready.ok();
    // What the node refuses (credentials, the namespace) says more than that another is away.
    if (first_trouble.ok() || absl::IsUnavailable(first_trouble) || absl::IsDeadlineExceeded(first_trouble)) {
      if (!ready.ok()) first_trouble = std::move(ready);
    }
  }
  co_return any_ready ? absl::OkStatus() : first_trouble;
}

std::shared_ptr<ShardSet> ClusterLinks::CurrentShards() {
  std::vector<std::shared_ptr<ShardSet>> known;
  for (const auto& member : serving_) known.push_back(member == nullptr ? nullptr : member->links.current());
  if (shards_ != nullptr && known == known_) return shards_;
  shards_ = std::make_shared<ShardSet>(placement_, absent_);
  for (const auto& node : known) shards_->AddNode(node.get());
  known_ = std::move(known);
  return shards_;
}

std::vector<NodeInfo> ClusterLinks::Nodes() const {
  std::vector<NodeInfo> nodes;
  for (size_t i = 0; i < serving_.size(); ++i) {
    const ClusterNode& in_map = route_->NodeAt(i);
    NodeInfo info;
    if (serving_[i] != nullptr) info = serving_[i]->links.info();
    info.node_id = in_map.id;
    info.address = in_map.AddressOn(options_.lane);
    nodes.push_back(std::move(info));
  }
  return nodes;
}

}  // namespace incipit
