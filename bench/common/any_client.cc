#include "bench/common/any_client.h"

#include "cache/base/status_macros.h"

namespace incipit::bench {

absl::StatusOr<std::unique_ptr<AnyClient>> AnyClient::Connect(ClientOptions client,
                                                              const std::vector<std::string>& seeds) {
  std::unique_ptr<AnyClient> any(new AnyClient());
  if (seeds.empty()) {
    ASSIGN_OR_RETURN(any->node_, Client::Connect(std::move(client)));
    return any;
  }
  ClusterClientOptions cluster;
  cluster.client = std::move(client);
  cluster.client.address.clear();
  cluster.client.progress = Progress::kThread;
  cluster.seeds = seeds;
  ASSIGN_OR_RETURN(any->cluster_, ClusterClient::Connect(std::move(cluster)));
  return any;
}

}  // namespace incipit::bench
