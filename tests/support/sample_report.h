// A shard's report in which every number differs from every other.
#pragma once

#include <cstdint>

#include "cache/shard/shard_counters.h"

namespace incipit {

// Numbers start at `first` and go up by `step`. Histograms are left empty.
inline ShardReport SampleReport(uint16_t shard, uint64_t first = 1000, uint64_t step = 7) {
  uint64_t next = first;
  const auto fill = [&](auto&... fields) { ((fields = (next += step)), ...); };
  ShardReport report;
  report.shard = shard;
  fill(report.sessions, report.loads_in_progress, report.load_bytes_in_progress, report.leases, report.pinned_bytes,
       report.hot_blocks);
  ShardCounters& r = report.requests;
  fill(r.sessions_opened, r.sessions_refused, r.sessions_stalled, r.protocol_errors, r.request_errors, r.matches,
       r.match_hits_nvme, r.match_hits, r.match_keys, r.hot_marks, r.loads, r.load_keys, r.loads_busy, r.load_hits_ram,
       r.load_hits_nvme, r.load_misses, r.load_expired, r.load_io_errors, r.load_damaged, r.load_bytes_ram,
       r.load_bytes_nvme, r.stores, r.store_blocks, r.store_bytes, r.store_busy, r.store_rejected, r.store_damaged,
       r.stores_shed, r.offers, r.touches, r.removes, r.releases, r.leases_granted, r.leases_expired, r.leases_refused,
       r.bytes_received, r.bytes_sent, r.sessions_cut, r.auth_failures, r.auth_held_back, r.requests_denied);
  for (LaneCounters& lane : r.lanes) {
    fill(lane.load_bytes_ram, lane.load_bytes_nvme, lane.store_bytes, lane.bytes_received, lane.bytes_sent);
  }
  StoreCounters& s = report.store;
  fill(s.blocks_stored, s.blocks_already_present, s.conflicts, s.store_refused_no_room, s.index_collisions,
       s.damaged_in_ram, s.damaged_on_nvme, s.evicted_from_ram, s.evicted_from_nvme, s.demoted, s.demotions_failed,
       s.dropped_as_spare, s.backed_up, s.promoted, s.promotions_skipped, s.removed, s.lost_in_reclaim,
       s.nvme_read_failures, s.over_write_budget);
  StoreGauges& g = report.gauges;
  fill(g.blocks, g.blocks_in_ram, g.blocks_in_nvme_only, g.dirty_blocks, g.writing_bytes, g.metadata_bytes,
       g.namespaces, g.arena.requested_bytes, g.arena.allocated_bytes, g.arena.capacity_bytes, g.arena.allocations);
  g.has_nvme = true;
  NvmeStats& n = g.nvme;
  n.state = NvmeState::kServing;
  fill(n.capacity_bytes, n.valued_bytes, n.spare_bytes, n.bytes_written, n.bytes_read, n.bytes_reinserted,
       n.regions_reclaimed, n.read_errors, n.write_errors, n.flush_errors, n.timeouts, n.damaged_records, n.suspensions,
       n.recovered_records, n.foreign_regions, n.regions_free, n.regions_open, n.regions_sealed, n.regions_reclaiming);
  ClaimCounters& c = report.claims;
  fill(report.claimed_blocks, report.watched_keys, c.granted, c.landed, c.released, c.lapsed, c.refused, c.waits,
       c.waits_refused);
  return report;
}

}  // namespace incipit
