// A curve of reuse for each tenant of a shard.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/shard/tenant_usage.h"
#include "eviction/reuse_distances.h"

namespace incipit {

class ReuseCurve;

// A copy for metrics.
struct ReuseReport {
  std::string tenant;  // empty: all who are not listed
  ReuseDistances distances;
};

// At most kMostTenants have a curve of their own; whoever comes later shares that of those who are not listed. Made
// when a tenant first asks. One thread. Memory: ReuseCurve's for each.
class ReuseCurves {
 public:
  static constexpr size_t kMostTenants = 32;

  ReuseCurves();
  ~ReuseCurves();

  void Use(TenantIndex owner, std::span<const uint64_t> blocks, uint64_t stamp_ns);
  size_t size() const { return curves_.size(); }
  // Null if it has asked for nothing so far. REQUIRES: owner < size().
  const ReuseCurve* Of(TenantIndex owner) const { return curves_[owner].get(); }
  uint64_t MemoryBytes() const;

 private:
  std::vector<std::unique_ptr<ReuseCurve>> curves_;  // by TenantIndex
};

}  // namespace incipit
