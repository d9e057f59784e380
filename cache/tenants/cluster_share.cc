#include "cache/tenants/cluster_share.h"

#include "absl/numeric/int128.h"

namespace incipit {

uint64_t ClusterShare::Of(uint64_t quota_bytes) const {
  if (own_weight >= total_weight) return quota_bytes;
  return absl::Uint128Low64(absl::uint128(quota_bytes) * own_weight / total_weight);
}

}  // namespace incipit
