#include "cache/shard/shard_counters.h"

namespace incipit {
namespace {

using Values = std::vector<std::pair<std::string, uint64_t>>;

void AddRequests(const ShardReport& report, Values* out) {
  const ShardCounters& r = report.requests;
  out->insert(out->end(), {
                              {"sessions", report.sessions},
                              {"sessions_opened_total", r.sessions_opened},
                              {"sessions_refused_total", r.sessions_refused},
                              {"sessions_stalled_total", r.sessions_stalled},
                              {"sessions_cut_total", r.sessions_cut},
                              {"auth_failures_total", r.auth_failures},
                              {"auth_held_back_total", r.auth_held_back},
                              {"requests_denied_total", r.requests_denied},
                              {"protocol_errors_total", r.protocol_errors},
                              {"request_errors_total", r.request_errors},
                              {"matches_total", r.matches},
                              {"match_keys_total", r.match_keys},
                              {"match_hits_total", r.match_hits},
                              {"match_hits_nvme_total", r.match_hits_nvme},
                              {"hot_marks_total", r.hot_marks},
                              {"hot_blocks", report.hot_blocks},
                              {"loads_total", r.loads},
                              {"load_keys_total", r.load_keys},
                              {"loads_busy_total", r.loads_busy},
                              {"load_hits_ram_total", r.load_hits_ram},
                              {"load_hits_nvme_total", r.load_hits_nvme},
                              {"load_misses_total", r.load_misses},
                              {"load_expired_total", r.load_expired},
                              {"load_io_errors_total", r.load_io_errors},
                              {"load_damaged_total", r.load_damaged},
                              {"load_bytes_ram_total", r.load_bytes_ram},
                              {"load_bytes_nvme_total", r.load_bytes_nvme},
                              {"loads_in_progress", report.loads_in_progress},
                              {"load_bytes_in_progress", report.load_bytes_in_progress},
                              {"stores_total", r.stores},
                              {"store_blocks_total", r.store_blocks},
                              {"store_bytes_total", r.store_bytes},
                              {"store_busy_total", r.store_busy},
                              {"store_rejected_total", r.store_rejected},
                              {"store_damaged_total", r.store_damaged},
                              {"stores_shed_total", r.stores_shed},
                              {"offers_total", r.offers},
                              {"touches_total", r.touches},
                              {"removes_total", r.removes},
                              {"releases_total", r.releases},
                              {"leases", report.leases},
                              {"leases_granted_total", r.leases_granted},
                              {"leases_expired_total", r.leases_expired},
                              {"leases_refused_total", r.leases_refused},
                              {"pinned_bytes", report.pinned_bytes},
                              {"received_bytes_total", r.bytes_received},
                              {"sent_bytes_total", r.bytes_sent},
                          });
}

void AddStore(const ShardReport& report, Values* out) {
  const StoreGauges& g = report.gauges;
  out->insert(out->end(), {
                              {"blocks", g.blocks},
                              {"blocks_in_ram", g.blocks_in_ram},
                              {"blocks_in_nvme_only", g.blocks_in_nvme_only},
                              {"dirty_blocks", g.dirty_blocks},
                              {"writing_bytes", g.writing_bytes},
                              {"metadata_bytes", g.metadata_bytes},
                              {"namespaces", g.namespaces},
                              {"recovered", g.recovered ? 1u : 0u},
                              {"blocks_stored_total", report.store.blocks_stored},
                              {"blocks_already_present_total", report.store.blocks_already_present},
                              {"store_conflicts_total", report.store.conflicts},
                              {"store_refused_no_room_total", report.store.store_refused_no_room},
                              {"index_collisions_total", report.store.index_collisions},
                              {"damaged_in_ram_total", report.store.damaged_in_ram},
                              {"damaged_on_nvme_total", report.store.damaged_on_nvme},
                              {"evicted_from_ram_total", report.store.evicted_from_ram},
                              {"evicted_from_nvme_total", report.store.evicted_from_nvme},
                              {"demoted_total", report.store.demoted},
                              {"demotions_failed_total", report.store.demotions_failed},
                              {"over_write_budget_total", report.store.over_write_budget},
                              {"spare_dropped_from_ram_total", report.store.dropped_as_spare},
                              {"backed_up_total", report.store.backed_up},
                              {"promoted_total", report.store.promoted},
                              {"promotions_skipped_total", report.store.promotions_skipped},
                              {"removed_total", report.store.removed},
                              {"lost_in_reclaim_total", report.store.lost_in_reclaim},
                              {"ram_capacity_bytes", g.arena.capacity_bytes},
                              {"ram_requested_bytes", g.arena.requested_bytes},
                              {"ram_allocated_bytes", g.arena.allocated_bytes},
                          });
}

void AddClaims(const ShardReport& report, Values* out) {
  const ClaimCounters& c = report.claims;
  out->insert(out->end(), {
                              {"claimed_blocks", report.claimed_blocks},
                              {"watched_keys", report.watched_keys},
                              {"claims_granted_total", c.granted},
                              {"claims_landed_total", c.landed},
                              {"claims_released_total", c.released},
                              {"claims_lapsed_total", c.lapsed},
                              {"claims_refused_total", c.refused},
                              {"waits_total", c.waits},
                              {"waits_refused_total", c.waits_refused},
                          });
}

void AddPeers(const ShardReport& report, Values* out) {
  const PeerCounters& p = report.peers;
  out->insert(out->end(), {
                              {"peer_asked_keys_total", p.asked_keys},
                              {"peer_found_keys_total", p.found_keys},
                              {"peer_wanted_blocks_total", p.wanted_blocks},
                              {"peer_taken_blocks_total", p.taken_blocks},
                              {"peer_taken_bytes_total", p.taken_bytes},
                              {"peer_failures_total", p.failures},
                              {"peer_held_back_total", p.held_back},
                              {"peer_over_limit_total", p.over_limit},
                              {"peer_damaged_total", p.damaged},
                              {"peer_given_blocks_total", p.given_blocks},
                              {"peer_given_bytes_total", p.given_bytes},
                              {"peer_lane_failures_total", p.lane_failures},
                              {"peer_tcp_received_bytes_total", p.lane(LaneKind::kTcp).received},
                              {"peer_tcp_sent_bytes_total", p.lane(LaneKind::kTcp).sent},
                              {"peer_ucx_received_bytes_total", p.lane(LaneKind::kUcx).received},
                              {"peer_ucx_sent_bytes_total", p.lane(LaneKind::kUcx).sent},
                          });
}

void AddNvme(const ShardReport& report, Values* out) {
  const StoreGauges& g = report.gauges;
  out->insert(out->end(), {
                              {"nvme_read_failures_total", report.store.nvme_read_failures},
                              {"nvme_present", g.has_nvme ? 1u : 0u},
                              {"nvme_state", static_cast<uint64_t>(g.nvme.state)},
                              {"nvme_capacity_bytes", g.nvme.capacity_bytes},
                              {"nvme_valued_bytes", g.nvme.valued_bytes},
                              {"nvme_spare_bytes", g.nvme.spare_bytes},
                              {"nvme_regions_free", g.nvme.regions_free},
                              {"nvme_regions_open", g.nvme.regions_open},
                              {"nvme_regions_sealed", g.nvme.regions_sealed},
                              {"nvme_regions_reclaiming", g.nvme.regions_reclaiming},
                              {"nvme_written_bytes_total", g.nvme.bytes_written},
                              {"nvme_read_bytes_total", g.nvme.bytes_read},
                              {"nvme_reinserted_bytes_total", g.nvme.bytes_reinserted},
                              {"nvme_regions_reclaimed_total", g.nvme.regions_reclaimed},
                              {"nvme_read_errors_total", g.nvme.read_errors},
                              {"nvme_write_errors_total", g.nvme.write_errors},
                              {"nvme_flush_errors_total", g.nvme.flush_errors},
                              {"nvme_timeouts_total", g.nvme.timeouts},
                              {"nvme_damaged_records_total", g.nvme.damaged_records},
                              {"nvme_suspensions_total", g.nvme.suspensions},
                              {"nvme_recovered_records_total", g.nvme.recovered_records},
                              {"nvme_foreign_regions_total", g.nvme.foreign_regions},
                          });
}

}  // namespace

std::vector<std::pair<std::string, uint64_t>> ShardReport::Values() const {
  std::vector<std::pair<std::string, uint64_t>> values;
  AddRequests(*this, &values);
  AddStore(*this, &values);
  AddNvme(*this, &values);
  AddClaims(*this, &values);
  AddPeers(*this, &values);
  return values;
}

}  // namespace incipit
