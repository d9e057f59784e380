// A client of one node or of a cluster, for commands to which it is all the same.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "incipit/client.h"
#include "incipit/cluster_client.h"

namespace incipit::bench {

// Threads: as the client that it holds; Progress::kCaller counts for one node only.
class AnyClient {
 public:
  // Of the node at client.address; or, with `seeds`, of the cluster that they are of. Errors of Connect.
  static absl::StatusOr<std::unique_ptr<AnyClient>> Connect(ClientOptions client,
                                                            const std::vector<std::string>& seeds);

  bool of_cluster() const { return cluster_ != nullptr; }
  absl::StatusOr<MatchResult> Match(MatchRequest request) {
    return of_cluster() ? cluster_->Match(std::move(request)) : node_->Match(std::move(request));
  }
  absl::StatusOr<LoadResult> Load(LoadRequest request) {
    return of_cluster() ? cluster_->Load(std::move(request)) : node_->Load(std::move(request));
  }
  absl::StatusOr<StatusResult> Store(StoreRequest request) {
    return of_cluster() ? cluster_->Store(std::move(request)) : node_->Store(std::move(request));
  }
  absl::StatusOr<StatusResult> Remove(RemoveRequest request) {
    return of_cluster() ? cluster_->Remove(std::move(request)) : node_->Remove(std::move(request));
  }
  uint64_t NewStamp() { return of_cluster() ? cluster_->NewStamp() : node_->NewStamp(); }

 private:
  AnyClient() = default;
  std::unique_ptr<Client> node_;  // one of the two
  std::unique_ptr<ClusterClient> cluster_;
};

}  // namespace incipit::bench
