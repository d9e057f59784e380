#include "cache/shard/reuse_curves.h"

#include "eviction/reuse_curve.h"

namespace incipit {

ReuseCurves::ReuseCurves() = default;
ReuseCurves::~ReuseCurves() = default;

void ReuseCurves::Use(TenantIndex owner, std::span<const uint64_t> blocks, uint64_t stamp_ns) {
  const size_t place = owner < kMostTenants ? owner : kUnlistedTenants;
  if (place >= curves_.size()) curves_.resize(place + 1);
  if (curves_[place] == nullptr) curves_[place] = std::make_unique<ReuseCurve>();
  curves_[place]->Use(blocks, stamp_ns);
}

uint64_t ReuseCurves::MemoryBytes() const {
  uint64_t bytes = 0;
  for (const std::unique_ptr<ReuseCurve>& curve : curves_) bytes += curve == nullptr ? 0 : curve->MemoryBytes();
  return bytes;
}

}  // namespace incipit
