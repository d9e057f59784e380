// Nodes for one run only that form a cluster: child processes on this host, with a map from a file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/common/private_node.h"
#include "bench/common/temp_dir.h"

namespace incipit::bench {

// One thread, which outlives it. The destructor kills the nodes and removes their directories.
class PrivateCluster {
 public:
  // Starts `nodes` nodes of equal weight, each with what `options` says. Unavailable: one did not start, with its log.
  static absl::StatusOr<std::unique_ptr<PrivateCluster>> Start(size_t nodes, const PrivateNodeOptions& options);

  std::string address() const;  // "cluster://" and where all of them are
  double CpuSeconds() const;    // of all of them, so far
  size_t size() const { return nodes_.size(); }

 private:
  explicit PrivateCluster(TempDir dir) : dir_(std::move(dir)) {}

  TempDir dir_;  // of the map
  std::vector<std::unique_ptr<PrivateNode>> nodes_;
};

}  // namespace incipit::bench
