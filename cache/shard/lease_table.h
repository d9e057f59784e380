// Leases: promises that matched blocks stay for a while. Each ends by release, by the end of its session, or by time.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "cache/base/types.h"

namespace incipit {

// One thread. Holds ids only; pinning and unpinning blocks is the caller's.
class LeaseTable {
 public:
  // `session` is any number that names the holder. Gives the lease's id, never 0.
  uint64_t Add(uint64_t session, int64_t expires_ns, std::vector<BlockId> blocks);
  // The blocks to unpin; empty if the lease is unknown, ended, or another session's.
  std::vector<BlockId> Remove(uint64_t session, uint64_t lease_id);
  std::vector<BlockId> RemoveSession(uint64_t session);
  std::vector<BlockId> RemoveExpired(int64_t now_ns);
  // When the next one ends; kForeverNs if there are none.
  int64_t NextExpiryNs() const;
  size_t size() const { return leases_.size(); }
  size_t CountOf(uint64_t session) const;

 private:
  struct Lease {
    uint64_t session;
    int64_t expires_ns;
    std::vector<BlockId> blocks;
  };
  std::vector<BlockId> Take(uint64_t lease_id);

  absl::flat_hash_map<uint64_t, Lease> leases_;
  absl::btree_set<std::pair<int64_t, uint64_t>> by_expiry_;
  absl::btree_set<std::pair<uint64_t, uint64_t>> by_session_;
  uint64_t next_id_ = 1;
};

}  // namespace incipit
