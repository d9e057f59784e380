// How much of one tier a tenant's blocks may take on a shard, where that may become less while they are there.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cache/tenants/tenant_table.h"

namespace incipit {

// What a tenant has above its share when the share falls, its surplus, goes as it stores: a byte of it for each byte
// stored, beside the byte that makes room for what is stored. So nothing goes at once, no store is refused for it, and
// a tenant that stored as much as its surplus is within its share. One thread. Bytes as the owner counts them.
class SoftQuota {
 public:
  // `lone_bytes`: a record of up to so many bytes may be there alone though it is over the share.
  // `used_bytes`: what the tenant has now.
  void Set(uint64_t share_bytes, uint64_t lone_bytes, uint64_t used_bytes) {
    share_bytes_ = share_bytes;
    lone_bytes_ = lone_bytes;
    limit_bytes_ = std::max(share_bytes, std::min(limit_bytes_, used_bytes));
  }
  // So many bytes were stored, of which the tenant now has `used_bytes` in all.
  void NoteStored(uint64_t bytes, uint64_t used_bytes) {
    const uint64_t held = std::min(limit_bytes_, used_bytes);
    limit_bytes_ = std::max(share_bytes_, held - std::min(held, bytes));
  }
  // The tenant has `used_bytes` with what was found at a start: its surplus too goes as the tenant stores.
  void NoteFound(uint64_t used_bytes) { limit_bytes_ = std::max(limit_bytes_, used_bytes); }

  // Whether there is ever room for a record of so many bytes.
  bool Admits(uint64_t bytes) const { return bytes <= std::max(share_bytes_, lone_bytes_); }
  // Whether blocks must go before there is room for so many bytes more.
  bool IsOver(uint64_t used_bytes, uint64_t more_bytes) const {
    const uint64_t limit = std::max(limit_bytes_, Admits(more_bytes) ? more_bytes : 0);
    return used_bytes > limit || more_bytes > limit - used_bytes;
  }
  bool HasSurplus(uint64_t used_bytes) const { return limit_bytes_ > share_bytes_ && used_bytes > share_bytes_; }

 private:
  uint64_t share_bytes_ = kNoQuota;
  uint64_t lone_bytes_ = 0;
  uint64_t limit_bytes_ = kNoQuota;  // sinks to the share
};

}  // namespace incipit
