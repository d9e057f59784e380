#include "cache/shard/shard.h"

#include <algorithm>

#include "cache/base/status_macros.h"
#include "cache/shard/session.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kYieldNs = 2 * kMillisecondNs;
constexpr int64_t kLeaseCheckNs = 50 * kMillisecondNs;
constexpr int64_t kRateWindowNs = 10 * kMillisecondNs;
// That several sessions send in one round of the loop, about a quarter of a millisecond.
constexpr uint64_t kRoundBytes = 512 << 10;
constexpr double kAppointmentsPerLoad = 1.2;
constexpr uint32_t kMinRetryAfterUs = 200;
constexpr uint32_t kMaxRetryAfterUs = 1'000'000;

}  // namespace

Shard::Shard(Loop* loop, ShardOptions options)
    : loop_(loop), options_(std::move(options)), loads_idle_(loop), stop_(loop), lease_added_(loop), tasks_(loop) {
  loads_idle_.Set();
}

Shard::~Shard() = default;

Task<absl::StatusOr<std::unique_ptr<Shard>>> Shard::Open(Loop* loop, Random* random, Disk* disk, ShardOptions options) {
  std::unique_ptr<Shard> shard(new Shard(loop, std::move(options)));
  Task<absl::StatusOr<std::unique_ptr<BlockStore>>> opening =
      BlockStore::Open(loop, random, disk, shard->options_.store, shard->options_.nvme);
  absl::StatusOr<std::unique_ptr<BlockStore>> store = co_await opening;
  if (!store.ok()) co_return store.status();
  shard->store_ = *std::move(store);
  shard->tasks_.Spawn(shard->ExpireLeases());
  co_return shard;
}

void Shard::StartRecovery() { tasks_.Spawn(RunRecovery()); }

Task<void> Shard::RunRecovery() {
  Task<absl::Status> recovering = store_->Recover();
  recovery_status_ = co_await recovering;
}

void Shard::Adopt(std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t hello_request_id) {
  if (stopping_ || sessions_.size() >= options_.limits.max_sessions) {
    ++counters_.sessions_refused;
    tasks_.Spawn(Session::Refuse(std::move(channel), hello_request_id,
                                 absl::ResourceExhaustedError("too many connections to this shard; close some")));
    return;
  }
  ++counters_.sessions_opened;
  auto session = std::make_unique<Session>(this, std::move(channel), hello, next_session_id_++);
  tasks_.Spawn(RunSession(std::move(session), hello_request_id));
}

Task<void> Shard::RunSession(std::unique_ptr<Session> session, uint64_t hello_request_id) {
  sessions_.push_back(session.get());
  Task<void> running = session->Run(hello_request_id);
  co_await running;
  std::erase(sessions_, session.get());
  UnpinAll(leases_.RemoveSession(session->id()));
}

Task<absl::Status> Shard::Shutdown(int64_t deadline_ns) {
  stopping_ = true;
  stop_.Set();
  lease_added_.Set();
  for (Session* session : sessions_) session->Close();
  co_await tasks_.Join();
  Task<absl::Status> stopping = store_->Shutdown(deadline_ns);
  co_return co_await stopping;
}

uint64_t Shard::ClampStamp(uint64_t stamp_ns) const {
  const auto now_ns = static_cast<uint64_t>(loop_->WallNs());
  if (stamp_ns == 0) return now_ns;
  return std::clamp(stamp_ns, now_ns - options_.limits.stamp_past_ms * kMillisecondNs, now_ns);
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
  for (const BlockId id : blocks) store_->Pin(id);
  ++counters_.leases_granted;
  lease_added_.Set();
  return leases_.Add(session, loop_->NowNs() + int64_t{lease_ms} * kMillisecondNs, std::move(blocks));
}

void Shard::EndLease(uint64_t session, uint64_t lease_id) { UnpinAll(leases_.Remove(session, lease_id)); }

void Shard::UnpinAll(const std::vector<BlockId>& blocks) {
  for (const BlockId id : blocks) {
    pinned_bytes_ -= store_->At(id).RecordBytes();
    store_->Unpin(id);
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

bool Shard::MayLoad(uint32_t session_loads) const {
  return loads_ < options_.limits.max_loads && session_loads < options_.limits.max_loads_per_session;
}

bool Shard::AdmitLoad(uint64_t bytes, uint32_t session_loads) {
  if (!MayLoad(session_loads) || (loads_ > 0 && load_bytes_ + bytes > options_.limits.max_load_bytes)) return false;
  ++loads_;
  if (session_loads == 0) ++sessions_loading_;
  load_bytes_ += bytes;
  loads_idle_.Clear();
  return true;
}

void Shard::LoadProgress(uint64_t bytes) {
  load_bytes_ -= std::min(bytes, load_bytes_);
  progress_bytes_ += bytes;
  const int64_t now_ns = loop_->NowNs();
  if (now_ns - last_progress_ns_ < kRateWindowNs) return;
  const double rate = static_cast<double>(progress_bytes_) / static_cast<double>(now_ns - last_progress_ns_);
  bytes_per_ns_ = 0.8 * bytes_per_ns_ + 0.2 * rate;
  last_progress_ns_ = now_ns;
  progress_bytes_ = 0;
}

void Shard::EndLoad(uint32_t session_loads_left) {
  if (session_loads_left == 0) --sessions_loading_;
  if (--loads_ == 0) loads_idle_.Set();
}

uint64_t Shard::TransferBytes() const {
  return sessions_loading_ <= 1 ? FrameChannel::kMaxTransferBytes : kRoundBytes / sessions_loading_;
}

// Appointments are spaced a little closer than loads end, so that there is always somebody to take a free place, and
// hardly anybody who is refused again: what refusals cost then does not grow with the number of those who ask.
uint32_t Shard::NextAppointmentUs() {
  const double drain_ns = static_cast<double>(load_bytes_) / std::max(bytes_per_ns_, 1e-3);
  const auto spacing_ns = static_cast<int64_t>(drain_ns / (kAppointmentsPerLoad * std::max<uint32_t>(loads_, 1)));
  const int64_t now_ns = loop_->NowNs();
  next_appointment_ns_ = std::max(next_appointment_ns_, now_ns) + spacing_ns;
  next_appointment_ns_ = std::min(next_appointment_ns_, now_ns + int64_t{kMaxRetryAfterUs} * 1000);
  return static_cast<uint32_t>(std::max<int64_t>((next_appointment_ns_ - now_ns) / 1000, kMinRetryAfterUs));
}

Task<void> Shard::YieldToLoads() {
  if (loads_ > 0) co_await loads_idle_.WaitUntil(loop_->NowNs() + kYieldNs);
}

ShardReport Shard::Report() const {
  ShardReport report;
  report.shard = options_.identity.shard;
  report.requests = counters_;
  report.store = store_->counters();
  report.gauges = store_->gauges();
  report.sessions = sessions_.size();
  report.loads_in_progress = loads_;
  report.load_bytes_in_progress = load_bytes_;
  report.leases = leases_.size();
  report.pinned_bytes = pinned_bytes_;
  for (const Session* session : sessions_) {
    report.requests.bytes_received += session->bytes_received();
    report.requests.bytes_sent += session->bytes_sent();
  }
  return report;
}

}  // namespace incipit
