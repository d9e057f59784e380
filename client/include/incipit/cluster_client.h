// A client of many nodes: each block goes to the node that owns it (docs/placement.md), one call to all of them at
// once.
//
//   auto client = ClusterClient::Connect({.client = {.model = "deepseek-v3", .layout = layout},
//                                         .seeds = {"tcp://10.0.0.5:9400", "tcp://10.0.0.6:9400"}});
//
// It promises what Client promises, with the same deadlines: a node that is dead or frozen costs the blocks that it
// owns, and no call waits for it longer than the call's deadline, or at all once its breaker is open.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/membership/cluster_membership.h"
#include "incipit/client.h"

namespace incipit {

struct ClusterView;

struct ClusterClientOptions {
  // For every node. address is empty: addresses come from the map. Connections are made when they are needed
  // (connect_lazily), by a thread for each node (Progress::kThread). prefill_tokens_per_s is 0: worth_loading is not
  // judged over several nodes. A secret is kept for the nodes that are still to come.
  ClientOptions client;
  std::string lane = "tcp";  // nodes without an address on it count as dead
  // Where the map comes from: one of the two. Some nodes of the cluster, any of which gives it (SeedMembership, with
  // the client's tenant and secret, on a thread more); or a membership of the caller's, as FileMembership.
  std::vector<std::string> seeds;
  std::shared_ptr<const ClusterMembership> membership;
};

// Any thread may call anything at any time. Destroying it: REQUIRES that no call is in progress.
class ClusterClient {
 public:
  // InvalidArgument: options. Unavailable: there is no map; with seeds, not within client.connect_timeout_ms. Does not
  // wait for any other node.
  static absl::StatusOr<std::unique_ptr<ClusterClient>> Connect(ClusterClientOptions options);
  ~ClusterClient();

  // As those of Client; blocks whose owner does not answer are misses, and `complete` is false then. The lease holds
  // what each node granted; lease_ms is the shortest. InvalidArgument with claim_ms: claims do not span nodes.
  absl::StatusOr<MatchResult> Match(MatchRequest request);
  absl::StatusOr<LoadResult> Load(LoadRequest request);
  absl::StatusOr<StatusResult> Offer(OfferRequest request);
  // Unavailable only if no node concerned could be reached.
  absl::StatusOr<StatusResult> Store(StoreRequest request);
  absl::StatusOr<StatusResult> Touch(TouchRequest request);
  absl::StatusOr<StatusResult> Remove(RemoveRequest request);

  // The longest restorable length, in tokens from the prompt's start, that the hits of a Load make: what is left when a
  // node failed in the middle. Blocks that were not asked for count as missing. Pure.
  static uint64_t RestorableTokens(const Layout& layout, const LoadRequest& request, const LoadResult& result);

  // Wall-clock nanoseconds, strictly ascending within this client.
  uint64_t NewStamp();
  // Of the map by which the last call placed its blocks.
  uint64_t epoch() const;
  // What the client of that node has seen; zeros for a node that is not in the map.
  ClientCounters CountersOf(uint64_t node_id) const;

 private:
  explicit ClusterClient(ClusterClientOptions options);
  absl::StatusOr<std::shared_ptr<const ClusterView>> CurrentView();
  absl::StatusOr<std::shared_ptr<Client>> ClientAt(const std::string& address) const;

  const ClusterClientOptions options_;
  std::vector<uint8_t> framed_namespace_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ClusterView> view_;  // under mutex_
  uint64_t last_stamp_ns_ = 0;               // under mutex_
};

}  // namespace incipit
