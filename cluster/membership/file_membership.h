// Membership from a file that an operator wrote: docs/membership.md, "From a file". Needs no other service.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/membership/cluster_membership.h"

namespace incipit {

// Immutable, so any thread may read it.
class FileMembership : public ClusterMembership {
 public:
  // Reads the file, once. NotFound: it cannot be read. InvalidArgument, FailedPrecondition: what is wrong in it.
  static absl::StatusOr<std::unique_ptr<FileMembership>> Read(const std::string& path);

  std::shared_ptr<const ClusterMap> Map() const override { return map_; }

 private:
  explicit FileMembership(std::shared_ptr<const ClusterMap> map) : map_(std::move(map)) {}
  std::shared_ptr<const ClusterMap> map_;
};

}  // namespace incipit
