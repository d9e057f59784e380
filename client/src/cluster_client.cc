#include "incipit/cluster_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/src/cluster_match.h"
#include "client/src/cluster_view.h"
#include "client/src/codec/sealed_codec.h"
#include "client/src/core/client_core.h"
#include "client/src/fan_out.h"
#include "client/src/restorable_lengths.h"
#include "incipit/seed_membership.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

// Blocks of one chain that RestorableTokens looks at: more than any context window has.
constexpr size_t kMaxChainBlocks = 1 << 22;

absl::Status Check(const ClusterClientOptions& options) {
  if ((options.membership == nullptr) == options.seeds.empty()) {
    return absl::InvalidArgumentError("ClusterClientOptions: give seeds or a membership, and not both");
  }
  if (!options.client.address.empty()) {
    return absl::InvalidArgumentError("ClusterClientOptions.client.address: addresses come from the cluster's map");
  }
  if (options.client.progress != Progress::kThread) {
    return absl::InvalidArgumentError("ClusterClientOptions.client.progress: a cluster's client has threads");
  }
  if (options.client.prefill_tokens_per_s != 0) {
    return absl::InvalidArgumentError("ClusterClientOptions.client.prefill_tokens_per_s: not over several nodes");
  }
  return ClientCore::CheckOptions(options.client);
}

// The client's secret, from where it has it.
absl::StatusOr<std::string> SecretOf(const ClientOptions& client) {
  if (client.secret_file.empty()) return client.secret;
  ASSIGN_OR_RETURN(std::vector<uint8_t> secret, ReadSecret("secret_file", client.secret_file));
  std::string text(secret.begin(), secret.end());
  Wipe(secret.data(), secret.size());
  return text;
}

// The map as the seeds give it, once there is one.
absl::StatusOr<std::shared_ptr<const ClusterMembership>> FollowSeeds(const ClusterClientOptions& options) {
  SeedOptions seeds{.seeds = options.seeds,
                    .lane = options.lane,
                    .tenant = options.client.tenant,
                    .client_name = options.client.client_name,
                    .timeout_ms = options.client.connect_timeout_ms};
  ASSIGN_OR_RETURN(seeds.secret, SecretOf(options.client));
  ASSIGN_OR_RETURN(std::unique_ptr<SeedMembership> membership, SeedMembership::Start(std::move(seeds)));
  RETURN_IF_ERROR(membership->WaitForMap(options.client.connect_timeout_ms).status());
  return std::shared_ptr<const ClusterMembership>(std::move(membership));
}

using Share = std::vector<size_t>;  // indices of one node's items in the whole request

// One request's blocks by node.
class ByNode {
 public:
  ByNode(std::shared_ptr<const ClusterView> view, size_t groups)
      : view_(std::move(view)), groups_(groups), shares_(view_->clients.size()) {}

  // Notes items, which have a group and a key, with their owners. InvalidArgument: a group or key that cannot be.
  template <typename Item>
  absl::Status Add(const std::vector<Item>& items) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].key.empty() || items[i].key.size() > kMaxKeyBytes || items[i].group >= groups_) {
        return absl::InvalidArgumentError(absl::StrCat("block ", i, ": a key of ", items[i].key.size(),
                                                       " bytes in group ", items[i].group, "; allowed are 1 to ",
                                                       kMaxKeyBytes, " bytes and ", groups_, " groups"));
      }
      const size_t owner = view_->OwnerOf(items[i].group, items[i].key);
      if (owner != ClusterView::kNobody) shares_[owner].push_back(i);
    }
    return absl::OkStatus();
  }

  // Sends each node its items, in `Request`s that are like `whole` but for them, and calls take(share, result) for each
  // answer. InvalidArgument: a mistake of the caller that a node's client found; else how many nodes answered.
  template <typename Result, typename Request, typename Item, typename Take>
  absl::StatusOr<size_t> Call(const Request& whole, std::vector<Item> Request::*items,
                              void (Client::*method)(Request, Callback<Result>), const Take& take) const {
    std::vector<Client*> clients;
    std::vector<Request> requests;
    std::vector<const Share*> asked;
    for (size_t node = 0; node < shares_.size(); ++node) {
      if (shares_[node].empty()) continue;
      Request request = whole;
      (request.*items).clear();
      for (const size_t item : shares_[node]) (request.*items).push_back((whole.*items)[item]);
      clients.push_back(view_->clients[node].get());
      requests.push_back(std::move(request));
      asked.push_back(&shares_[node]);
    }
    const auto results = CallAll<Result>(clients, std::move(requests), method);
    size_t answered = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      if (IsMistake(results[i].status())) return results[i].status();
      if (!results[i].ok()) continue;
      take(*asked[i], *results[i]);
      ++answered;
    }
    return answered;
  }

 private:
  const std::shared_ptr<const ClusterView> view_;
  const size_t groups_;
  std::vector<Share> shares_;  // by the placement's index
};

// For calls whose answer is a status for each block. *answered: how many nodes did.
template <typename Request, typename Item>
absl::StatusOr<StatusResult> CallForStatus(std::shared_ptr<const ClusterView> view, const Layout& layout,
                                           const Request& whole, std::vector<Item> Request::*items,
                                           void (Client::*method)(Request, Callback<StatusResult>), size_t* answered) {
  ByNode by_node(std::move(view), layout.groups.size());
  RETURN_IF_ERROR(by_node.Add(whole.*items));
  StatusResult result;
  result.status.assign((whole.*items).size(), BlockStatus::kExpired);
  ASSIGN_OR_RETURN(*answered, by_node.template Call<StatusResult>(whole, items, method,
                                                                  [&](const Share& share, const StatusResult& part) {
                                                                    for (size_t i = 0; i < share.size(); ++i)
                                                                      result.status[share[i]] = part.status[i];
                                                                  }));
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterClient>> ClusterClient::Connect(ClusterClientOptions options) {
  if (!options.client.sealing_key_file.empty() && options.client.sealing_key == nullptr) {
    ASSIGN_OR_RETURN(options.client.sealing_key, SealingKey::FromFile(options.client.sealing_key_file));
    options.client.sealing_key_file.clear();
  }
  RETURN_IF_ERROR(Check(options));
  options.client.connect_lazily = true;
  if (!options.seeds.empty()) {
    ASSIGN_OR_RETURN(options.membership, FollowSeeds(options));
  }
  std::unique_ptr<ClusterClient> client(new ClusterClient(std::move(options)));
  RETURN_IF_ERROR(client->CurrentView().status());
  return client;
}

ClusterClient::ClusterClient(ClusterClientOptions options) : options_(std::move(options)) {
  const ClientOptions& client = options_.client;
  const Layout layout =
      client.sealing_key == nullptr ? client.layout : SealedLayout(client.layout, *client.sealing_key);
  const std::string& owner = client.namespace_owner.empty() ? client.tenant : client.namespace_owner;
  framed_namespace_ = FrameNamespace({owner, client.model, layout.Fingerprint()});
}

ClusterClient::~ClusterClient() = default;

absl::StatusOr<std::shared_ptr<const ClusterView>> ClusterClient::CurrentView() {
  const std::shared_ptr<const ClusterMap> map = options_.membership->Map();
  if (map == nullptr) return absl::UnavailableError("cluster: there is no map yet");
  const std::lock_guard<std::mutex> lock(mutex_);
  if (view_ != nullptr && !IsNewerMap(view_->map.get(), *map)) return view_;
  absl::StatusOr<ClusterRoute> route = ClusterRoute::Over(map, framed_namespace_);
  if (!route.ok()) {
    if (view_ != nullptr) return view_;  // nobody serves: rather those who did a moment ago
    return absl::UnavailableError(route.status().message());
  }
  auto view = std::make_shared<ClusterView>(ClusterView{*std::move(route), {}, {}});
  absl::Status trouble;
  for (const size_t index : view->owners) {
    view->addresses.push_back(map->nodes[index].AddressOn(options_.lane));
    absl::StatusOr<std::shared_ptr<Client>> client = ClientAt(view->addresses.back());
    trouble.Update(client.status());
    view->clients.push_back(client.ok() ? *std::move(client) : nullptr);
  }
  // One node with an address that nobody can use is dead, and no more. All of them: it is our options.
  if (std::all_of(view->clients.begin(), view->clients.end(), [](const auto& client) { return client == nullptr; })) {
    return trouble;
  }
  view_ = std::move(view);
  return view_;
}

// The client for `address`: that of the view so far, with its connections, or a new one. Under mutex_.
absl::StatusOr<std::shared_ptr<Client>> ClusterClient::ClientAt(const std::string& address) const {
  if (address.empty()) {
    return absl::UnavailableError(absl::StrCat("cluster: a node has no address on lane ", options_.lane));
  }
  if (view_ != nullptr) {
    const auto same = std::find(view_->addresses.begin(), view_->addresses.end(), address);
    const auto index = static_cast<size_t>(same - view_->addresses.begin());
    if (same != view_->addresses.end() && view_->clients[index] != nullptr) return view_->clients[index];
  }
  ClientOptions client = options_.client;
  client.address = address;
  ASSIGN_OR_RETURN(std::unique_ptr<Client> made, Client::Connect(std::move(client)));
  return std::shared_ptr<Client>(std::move(made));
}

uint64_t ClusterClient::NewStamp() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  return last_stamp_ns_ = std::max(last_stamp_ns_ + 1, static_cast<uint64_t>(now.count()));
}

absl::StatusOr<MatchResult> ClusterClient::Match(MatchRequest request) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const ClusterView> view, CurrentView());
  if (request.stamp_ns == 0) request.stamp_ns = NewStamp();
  return RunClusterMatch(*view, options_.client.layout, request);
}

absl::StatusOr<LoadResult> ClusterClient::Load(LoadRequest request) {
  ASSIGN_OR_RETURN(std::shared_ptr<const ClusterView> view, CurrentView());
  ByNode by_node(std::move(view), options_.client.layout.groups.size());
  RETURN_IF_ERROR(by_node.Add(request.items));
  if (request.stamp_ns == 0) request.stamp_ns = NewStamp();
  LoadResult result;
  result.status.assign(request.items.size(), BlockStatus::kExpired);
  result.tier.assign(request.items.size(), Presence::kMiss);
  const absl::StatusOr<size_t> answered = by_node.Call<LoadResult>(request, &LoadRequest::items, &Client::LoadAsync,
                                                                   [&](const Share& share, const LoadResult& part) {
                                                                     for (size_t i = 0; i < share.size(); ++i) {
                                                                       result.status[share[i]] = part.status[i];
                                                                       result.tier[share[i]] = part.tier[i];
                                                                     }
                                                                     result.hits += part.hits;
                                                                     result.bytes += part.bytes;
                                                                   });
  RETURN_IF_ERROR(answered.status());
  return result;
}

absl::StatusOr<StatusResult> ClusterClient::Offer(OfferRequest request) {
  ASSIGN_OR_RETURN(std::shared_ptr<const ClusterView> view, CurrentView());
  if (request.stamp_ns == 0) request.stamp_ns = NewStamp();
  size_t answered = 0;
  return CallForStatus(std::move(view), options_.client.layout, request, &OfferRequest::blocks, &Client::OfferAsync,
                       &answered);
}

absl::StatusOr<StatusResult> ClusterClient::Store(StoreRequest request) {
  ASSIGN_OR_RETURN(std::shared_ptr<const ClusterView> view, CurrentView());
  if (request.stamp_ns == 0) request.stamp_ns = NewStamp();
  size_t answered = 0;
  absl::StatusOr<StatusResult> result =
      CallForStatus(view, options_.client.layout, request, &StoreRequest::items, &Client::StoreAsync, &answered);
  if (!result.ok() || answered > 0 || request.items.empty()) return result;
  return absl::UnavailableError(absl::StrCat("cluster of epoch ", view->map->epoch, ": none of the nodes that own the ",
                                             request.items.size(), " blocks could be reached"));
}

absl::StatusOr<StatusResult> ClusterClient::Touch(TouchRequest request) {
  ASSIGN_OR_RETURN(std::shared_ptr<const ClusterView> view, CurrentView());
  if (request.stamp_ns == 0) request.stamp_ns = NewStamp();
  size_t answered = 0;
  return CallForStatus(std::move(view), options_.client.layout, request, &TouchRequest::blocks, &Client::TouchAsync,
                       &answered);
}

absl::StatusOr<StatusResult> ClusterClient::Remove(RemoveRequest request) {
  ASSIGN_OR_RETURN(std::shared_ptr<const ClusterView> view, CurrentView());
  size_t answered = 0;
  return CallForStatus(std::move(view), options_.client.layout, request, &RemoveRequest::blocks, &Client::RemoveAsync,
                       &answered);
}

uint64_t ClusterClient::RestorableTokens(const Layout& layout, const LoadRequest& request, const LoadResult& result) {
  GroupPresence presence(layout.groups.size());
  for (size_t i = 0; i < request.items.size() && i < result.status.size(); ++i) {
    const LoadItem& item = request.items[i];
    if (item.group >= layout.groups.size()) continue;
    std::vector<Presence>& blocks = presence[item.group];
    const size_t block = item.depth_tokens / layout.groups[item.group].block_tokens;
    if (block >= kMaxChainBlocks) continue;
    if (block >= blocks.size()) blocks.resize(block + 1, Presence::kMiss);
    if (result.status[i] == BlockStatus::kOk) blocks[block] = result.tier[i];
  }
  const std::vector<uint64_t> lengths = RestorableLengths(layout, presence);
  return lengths.empty() ? 0 : lengths.back();
}

uint64_t ClusterClient::epoch() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return view_->map->epoch;
}

ClientCounters ClusterClient::CountersOf(uint64_t node_id) const {
  std::shared_ptr<const ClusterView> view;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    view = view_;
  }
  for (size_t i = 0; i < view->owners.size(); ++i) {
    if (view->map->nodes[view->owners[i]].id == node_id && view->clients[i] != nullptr)
      return view->clients[i]->counters();
  }
  return {};
}

}  // namespace incipit
