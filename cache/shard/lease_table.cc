#include "cache/shard/lease_table.h"

#include "cache/seams/clock.h"

namespace incipit {

uint64_t LeaseTable::Add(uint64_t session, int64_t expires_ns, std::vector<BlockId> blocks) {
  const uint64_t id = next_id_++;
  leases_.emplace(id, Lease{session, expires_ns, std::move(blocks)});
  by_expiry_.insert({expires_ns, id});
  by_session_.insert({session, id});
  return id;
}

std::vector<BlockId> LeaseTable::Take(uint64_t lease_id) {
  const auto found = leases_.find(lease_id);
  std::vector<BlockId> blocks = std::move(found->second.blocks);
  by_expiry_.erase({found->second.expires_ns, lease_id});
  by_session_.erase({found->second.session, lease_id});
  leases_.erase(found);
  return blocks;
}

std::vector<BlockId> LeaseTable::Remove(uint64_t session, uint64_t lease_id) {
  const auto found = leases_.find(lease_id);
  if (found == leases_.end() || found->second.session != session) return {};
  return Take(lease_id);
}

std::vector<BlockId> LeaseTable::RemoveSession(uint64_t session) {
  std::vector<BlockId> all;
  for (auto it = by_session_.lower_bound({session, 0}); it != by_session_.end() && it->first == session;
       it = by_session_.lower_bound({session, 0})) {
    const std::vector<BlockId> blocks = Take(it->second);
    all.insert(all.end(), blocks.begin(), blocks.end());
  }
  return all;
}

std::vector<BlockId> LeaseTable::RemoveExpired(int64_t now_ns) {
  std::vector<BlockId> all;
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now_ns) {
    const std::vector<BlockId> blocks = Take(by_expiry_.begin()->second);
    all.insert(all.end(), blocks.begin(), blocks.end());
  }
  return all;
}

int64_t LeaseTable::NextExpiryNs() const { return by_expiry_.empty() ? kForeverNs : by_expiry_.begin()->first; }

size_t LeaseTable::CountOf(uint64_t session) const {
  size_t count = 0;
  for (auto it = by_session_.lower_bound({session, 0}); it != by_session_.end() && it->first == session; ++it) ++count;
  return count;
}

}  // namespace incipit
