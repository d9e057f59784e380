// Where the cluster map comes from. Real: FileMembership, RedisMembership. Both keep the last map when their source is
// away.
#pragma once

#include <memory>

#include "cache/seams/membership.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {

// Any thread may call it; it never waits for the source of the map.
class ClusterMembership : public Membership {
 public:
  // Null before the first map is there. What it points to never changes.
  virtual std::shared_ptr<const ClusterMap> Map() const = 0;

  ShardMap Current() const override {
    const std::shared_ptr<const ClusterMap> map = Map();
    return map == nullptr ? ShardMap() : ShardMapOf(*map);
  }
};

}  // namespace incipit
