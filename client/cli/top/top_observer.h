// Looks at all nodes of a cluster at once.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/runtime/uring_loop.h"
#include "cache/seams/random.h"
#include "client/cli/common_options.h"
#include "client/cli/top/node_probe.h"
#include "client/cli/top/node_sample.h"
#include "client/src/core/handshake.h"
#include "cluster/membership/cluster_membership.h"
#include "transport/lane_connector.h"

namespace incipit {

// One thread.
class TopObserver {
 public:
  static absl::StatusOr<std::unique_ptr<TopObserver>> Create(const ConnectOptions& options,
                                                             std::unique_ptr<ClusterMembership> nodes);
  ~TopObserver();

  // Takes options.timeout_ms at most, however many nodes do not answer.
  ClusterSample Look();

 private:
  explicit TopObserver(std::unique_ptr<UringLoop> loop);
  NodeProbe* ProbeAt(const std::string& address);
  Task<void> LookAtAll(ClusterSample* sample);

  std::unique_ptr<UringLoop> loop_;
  std::unique_ptr<Random> random_;
  LaneConnector connector_;
  HandshakeRequest as_;
  int64_t timeout_ns_ = 0;
  std::unique_ptr<ClusterMembership> nodes_;
  std::map<std::string, std::unique_ptr<NodeProbe>> probes_;  // by address
};

}  // namespace incipit
