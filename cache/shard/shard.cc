#include "cache/shard/shard.h"

#include <algorithm>

#include "cache/base/defence.h"
#include "cache/base/status_macros.h"
#include "cache/shard/session.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kLeaseCheckNs = 50 * kMillisecondNs;

}  // namespace

Shard::Shard(Loop* loop, ShardOptions options)
    : loop_(loop),
      options_(std::move(options)),
      claims_(options_.limits),
      admission_(loop, options_.limits),
      heat_(options_.limits.heat),
      audit_(options_.audit),
      stop_(loop),
      lease_added_(loop),
      claim_added_(loop),
      tasks_(loop) {}

Shard::~Shard() = default;

Task<absl::StatusOr<std::unique_ptr<Shard>>> Shard::Open(Loop* loop, Random* random, Disk* disk, ShardOptions options) {
  std::unique_ptr<Shard> shard(new Shard(loop, std::move(options)));
  Task<absl::StatusOr<std::unique_ptr<BlockStore>>> opening =
      BlockStore::Open(loop, random, disk, shard->options_.store, shard->options_.nvme);
  absl::StatusOr<std::unique_ptr<BlockStore>> store = co_await opening;
  if (!store.ok()) co_return store.status();
  shard->store_ = *std::move(store);
  shard->store_->set_listener(&shard->claims_);
  shard->tasks_.Spawn(shard->ExpireLeases());
  shard->tasks_.Spawn(shard->LapseClaims());
  co_return shard;
}

void Shard::StartRecovery() { tasks_.Spawn(RunRecovery()); }

Task<void> Shard::RunRecovery() {
  Task<absl::Status> recovering = store_->Recover();
  recovery_status_ = co_await recovering;
}

void Shard::SetTenants(TenantTableRef tenants) {
  tenants_ = std::move(tenants);
  ++tenants_generation_;
  store_->SetQuotas(QuotasOf(*tenants_, options_.identity.shard_count, cluster_share_));
  for (Session* session : sessions_) {
    if (tenants_->Find(session->tenant()) != nullptr && session->proven()) continue;
    ++counters_.sessions_cut;
    session->Close();
  }
}

void Shard::SetClusterShare(const ClusterShare& share) {
  if (share == cluster_share_) return;
  cluster_share_ = share;
  if (tenants_ == nullptr) return;
  store_->SetQuotas(QuotasOf(*tenants_, options_.identity.shard_count, cluster_share_));
}

void Shard::SetClusterMap(PublishedMapRef map) {
  if (map == nullptr || (cluster_map_ != nullptr && map->epoch <= cluster_map_->epoch)) return;
  cluster_map_ = std::move(map);
  for (Session* session : sessions_) session->OnClusterMap();
}

void Shard::Adopt(std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t request_id,
                  SessionPass pass) {
  // The acceptor may still have had the tenants from before a reload.
  if (tenants_ != nullptr && (!pass.proven || tenants_->Find(pass.tenant) == nullptr)) {
    ++counters_.sessions_refused;
    audit_.Write({"auth_refused", channel->PeerName(), hello.tenant, "no tenant of this node"}, loop_->NowNs());
    tasks_.Spawn(Session::Refuse(std::move(channel), request_id, absl::UnauthenticatedError("no tenant of this node")));
    return;
  }
  if (stopping_ || sessions_.size() >= options_.limits.max_sessions) {
    ++counters_.sessions_refused;
    tasks_.Spawn(Session::Refuse(std::move(channel), request_id,
                                 absl::ResourceExhaustedError("too many connections to this shard; close some")));
    return;
  }
  ++counters_.sessions_opened;
  auto session = std::make_unique<Session>(this, std::move(channel), hello, next_session_id_++, std::move(pass));
  tasks_.Spawn(RunSession(std::move(session), request_id));
}

Task<void> Shard::RunSession(std::unique_ptr<Session> session, uint64_t request_id) {
  sessions_.push_back(session.get());
  Task<void> running = session->Run(request_id);
  co_await running;
  std::erase(sessions_, session.get());
  UnpinAll(leases_.RemoveSession(session->id()));
  claims_.EndSession(session->id());
}

Task<absl::Status> Shard::Shutdown(int64_t deadline_ns) {
  stopping_ = true;
  stop_.Set();
  lease_added_.Set();
  claim_added_.Set();
  for (Session* session : sessions_) session->Close();
  store_->StopRecovery();
  if (peers_ != nullptr) {
    Task<void> ending = peers_->Stop();
    co_await ending;
  }
  co_await tasks_.Join();
  Task<absl::Status> stopping = store_->Shutdown(deadline_ns);
  co_return co_await stopping;
}

uint64_t Shard::ClampStamp(uint64_t stamp_ns) const {
  const auto now_ns = static_cast<uint64_t>(loop_->WallNs());
  if (stamp_ns == 0) return now_ns;
  const uint64_t past_ms = std::min(options_.limits.stamp_past_ms, now_ns / kMillisecondNs);
  return std::clamp(stamp_ns, now_ns - past_ms * kMillisecondNs, now_ns);
}

uint64_t Shard::AddLease(uint64_t session, uint32_t lease_ms, std::vector<BlockId> blocks) {
  uint64_t bytes = 0;
  for (const BlockId id : blocks) bytes += store_->At(id).RecordBytes();
  const StoreGauges gauges = store_->gauges();
  const auto limit = static_cast<uint64_t>(
      options_.limits.max_pinned_share * static_cast<double>(gauges.arena.capacity_bytes + gauges.nvme.capacity_bytes));
  if (pinned_bytes_ + bytes > limit || leases_.CountOf(session) >= options_.limits.max_leases_per_session) {
    ++counters_.leases_refused;
    return 0;
  }
  pinned_bytes_ += bytes;
  if (INCIPIT_DEFENDED(kLeasePin)) {
    for (const BlockId id : blocks) store_->Pin(id);
  }
  ++counters_.leases_granted;
  lease_added_.Set();
  return leases_.Add(session, loop_->NowNs() + int64_t{lease_ms} * kMillisecondNs, std::move(blocks));
}

void Shard::EndLease(uint64_t session, uint64_t lease_id) { UnpinAll(leases_.Remove(session, lease_id)); }

void Shard::UnpinAll(const std::vector<BlockId>& blocks) {
  for (const BlockId id : blocks) {
    pinned_bytes_ -= store_->At(id).RecordBytes();
    if (INCIPIT_DEFENDED(kLeasePin)) store_->Unpin(id);
  }
}

Task<void> Shard::ExpireLeases() {
  while (!stopping_) {
    const int64_t next_ns = leases_.NextExpiryNs();
    // With no lease there is nothing to look for: an idle shard must not wake up.
    if (next_ns == kForeverNs) {
      lease_added_.Clear();
      co_await lease_added_.Wait();
      continue;
    }
    co_await stop_.WaitUntil(std::max(next_ns, loop_->NowNs() + kLeaseCheckNs));
    const size_t before = leases_.size();
    UnpinAll(leases_.RemoveExpired(loop_->NowNs()));
    counters_.leases_expired += before - leases_.size();
  }
}

Task<void> Shard::LapseClaims() {
  while (!stopping_) {
    claims_.LapseExpired(loop_->NowNs());
    claim_added_.Clear();
    co_await claim_added_.WaitUntil(claims_.NextExpiryNs());
  }
}

ShardReport Shard::Report() const {
  ShardReport report;
  report.shard = options_.identity.shard;
  report.requests = counters_;
  report.store = store_->counters();
  report.gauges = store_->gauges();
  report.sessions = sessions_.size();
  report.loads_in_progress = admission_.loads();
  report.load_bytes_in_progress = admission_.load_bytes();
  report.leases = leases_.size();
  report.pinned_bytes = pinned_bytes_;
  report.tenants = store_->TenantReports();
  report.namespaces = store_->namespaces().Reports();
  report.reuse = store_->ReuseReports();
  report.claims = claims_.counters();
  report.claimed_blocks = claims_.claimed_blocks();
  report.hot_blocks = heat_.hot_blocks(loop_->NowNs());
  report.watched_keys = claims_.watched_keys();
  if (peers_ != nullptr) report.peers = peers_->counters();
  for (const Session* session : sessions_) session->AddBytesTo(&report.requests);
  return report;
}

}  // namespace incipit
