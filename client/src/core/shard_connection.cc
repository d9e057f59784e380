#include "client/src/core/shard_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr uint64_t kDefaultSlots = 64;  // requests outstanding where the node states no limit
constexpr uint64_t kMaxWaits = 16;
constexpr size_t kMaxAbandoned = 4096;  // a node that still owes so many replies is not heard any more
// However long a busy shard asks to be left alone: a node that lies must not cost more than a dead one.
constexpr int64_t kMaxHoldBackNs = 1'000'000'000;

absl::Status ConnectionError(const absl::Status& cause) {
  return absl::UnavailableError(fmt::format("{}", std::string(cause.message())));
}

// The node's answer that it has no such shard: it was started anew with another number of them.
bool IsRefusalOfShard(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsOutOfRange(status);
}

}  // namespace

ShardConnection::ShardConnection(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions options,
                                 ClientCounters* counters)
    : loop_(loop),
      connector_(connector),
      random_(random),
      options_(std::move(options)),
      counters_(counters),
      breaker_(options_.breaker),
      changed_(loop),
      stop_(loop),
      region_reply_(loop, wire::FrameType::kRegionReply),
      slots_(loop, kDefaultSlots),
      load_budget_(loop, options_.max_inflight_bytes),
      store_budget_(loop, options_.max_inflight_bytes),
      wait_budget_(loop, kMaxWaits),
      sends_(loop),
      scope_(loop) {}

ShardConnection::~ShardConnection() = default;

void ShardConnection::Start() { scope_.Spawn(Run()); }

Task<void> ShardConnection::Stop() {
  stopping_ = true;
  stop_.Set();
  changed_.Set();
  if (channel_ != nullptr) channel_->Close();
  co_await scope_.Join();
}

Task<void> ShardConnection::Run() {
  while (!stopping_) {
    attempt_counted_ns_ = loop_->NowNs();
    absl::Status status = co_await Establish();
    attempt_counted_ns_ = 0;
    const bool made = status.ok();
    if (made) {
      ++session_number_;
      ready_ = true;
      session_answered_ = false;
      changed_.Set();
      status = co_await Serve();
      ready_ = false;
    }
    last_error_ = status;
    // A connection that answered something and was lost is made again at once; its loss is no failure of the shard.
    if (!stopping_ && (!made || !session_answered_)) NoteFailure();
    if (made) FailAll(ConnectionError(status));
    link_.reset();
    channel_.reset();
    changed_.Set();
    const int64_t pause_ns = breaker_.PauseNs(random_);
    if (pause_ns > 0) co_await stop_.WaitUntil(loop_->NowNs() + pause_ns);
  }
  changed_.Set();
}

Task<absl::Status> ShardConnection::Establish() {
  absl::StatusOr<std::unique_ptr<Stream>> stream =
      co_await connector_->Connect(options_.address, loop_->NowNs() + options_.step_timeout_ns);
  if (!stream.ok()) {
    ++counters_->connection_failures;
    co_return stream.status();
  }
  if (stopping_) co_return absl::CancelledError("the client is stopping");
  channel_ = std::make_unique<FrameChannel>(*std::move(stream));
  absl::StatusOr<AgreedSession> session =
      co_await Handshake(loop_, random_, channel_.get(), &options_.handshake, options_.shard, options_.step_timeout_ns,
                         &options_.on_hello);
  if (!session.ok()) {
    ++counters_->connection_failures;
    channel_->Close();
    if (IsRefusalOfShard(session.status()) && options_.on_refused) options_.on_refused(session.status());
    co_return session.status();
  }
  ++counters_->connections;
  breaker_.OnConnected();
  session_ = *std::move(session);
  options_.shard = session_.hello.shard;
  const uint32_t slots = session_.hello.max_inflight_requests;
  slots_.set_limit(slots == 0 ? kDefaultSlots : slots);
  if ((session_.hello.features & wire::kFeatureSharedRegions) != 0 && channel_->stream()->CarriesDescriptors()) {
    link_ = SharedLink::Create();
  }
  silent_since_ns_ = 0;
  loads_busy_until_ns_ = 0;
  heard_bytes_ = channel_->bytes_received();
  co_return absl::OkStatus();
}

// Receives until the connection ends. Both directions have ended when it does.
Task<absl::Status> ShardConnection::Serve() {
  TaskScope sender(loop_);
  sender.Spawn(SendAll(channel_.get()));
  absl::Status status;
  while (status.ok()) {
    absl::StatusOr<IncomingFrame> frame = co_await channel_->Receive();
    if (!frame.ok()) {
      status = frame.status();
      break;
    }
    NoteHeard();
    status = co_await Dispatch(*frame);
  }
  if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) ++counters_->protocol_errors;
  channel_->Close();
  sends_.Stop();
  co_await sender.Join();
  co_return status;
}

Task<void> ShardConnection::SendAll(FrameChannel* channel) {
  absl::Status status = co_await sends_.Run(channel);
  channel->Close();  // The reader then ends too.
}

Task<absl::Status> ShardConnection::Dispatch(IncomingFrame frame) {
  const uint64_t id = frame.header.request_id;
  const bool last = (frame.header.flags & wire::kFrameFlagLast) != 0;
  if (frame.header.epoch != session_.epoch) {
    co_return absl::UnavailableError(
        fmt::format("{} moved from epoch {} to {}", channel_->PeerName(), session_.epoch, frame.header.epoch));
  }
  if (id == 0 && frame.header.type == wire::FrameType::kError) {  // The connection as a whole.
    absl::StatusOr<wire::Error> error = wire::Error::Decode(frame.meta);
    if (!error.ok()) co_return error.status();
    co_return absl::UnavailableError(fmt::format("{} says: {}", channel_->PeerName(), error->message));
  }
  const auto found = pending_.find(id);
  if (found == pending_.end()) {
    if (!abandoned_.contains(id)) {
      co_return absl::DataLossError(fmt::format("{} sent {} to request {}, which is not outstanding",
                                                channel_->PeerName(), wire::FrameTypeName(frame.header.type), id));
    }
    if (last) {
      abandoned_.erase(id);
      slots_.Release(1);
      if (link_ != nullptr) link_->FreeSlot(id);
    }
    co_return co_await channel_->DiscardPayload();
  }
  PendingReply* reply = found->second;
  if (frame.header.type == wire::FrameType::kError) {
    pending_.erase(found);
    co_return TakeError(reply, frame);
  }
  if (frame.header.type != reply->expected_) {
    co_return absl::DataLossError(fmt::format("{} answered request {} with {}, expected {}", channel_->PeerName(), id,
                                              wire::FrameTypeName(frame.header.type),
                                              wire::FrameTypeName(reply->expected_)));
  }
  if (last) pending_.erase(found);
  co_return co_await Deliver(reply, frame);
}

Task<absl::Status> ShardConnection::Deliver(PendingReply* reply, IncomingFrame frame) {
  const bool last = (frame.header.flags & wire::kFrameFlagLast) != 0;
  breaker_.OnReply();
  session_answered_ = true;
  reply->answered_ = true;
  reply->delivering_ = true;
  absl::Status status = co_await reply->OnReply(channel_.get(), frame);
  reply->delivering_ = false;
  NoteHeard();
  if (!status.ok()) {
    pending_.erase(frame.header.request_id);
    reply->Finish(ConnectionError(status));
  } else if (last) {
    reply->Finish(absl::OkStatus());
  }
  reply->settled_.Set();
  // From here on the reply may be gone.
  if (!status.ok() || channel_->payload_remaining() == 0) co_return status;
  co_return co_await channel_->DiscardPayload();
}

absl::Status ShardConnection::TakeError(PendingReply* reply, const IncomingFrame& frame) {
  absl::StatusOr<wire::Error> error = wire::Error::Decode(frame.meta);
  if (!error.ok()) {
    reply->Finish(ConnectionError(error.status()));
    return error.status();
  }
  breaker_.OnReply();
  session_answered_ = true;
  reply->retry_after_us_ = error->retry_after_us;
  if (error->code == absl::StatusCode::kResourceExhausted) {
    ++counters_->busy_replies;
    if (reply->expected_ == wire::FrameType::kLoadReply) {
      loads_busy_until_ns_ = loop_->NowNs() + std::min(int64_t{error->retry_after_us} * 1000, kMaxHoldBackNs);
    }
  }
  reply->Finish(absl::Status(error->code, fmt::format("{} says: {}", channel_->PeerName(), error->message)));
  return absl::OkStatus();
}

Task<absl::Status> ShardConnection::WaitReady(int64_t deadline_ns) {
  while (!ready_) {
    if (stopping_) co_return down_;
    if (breaker_.open()) co_return ConnectionError(last_error_);
    changed_.Clear();
    const bool changed = co_await changed_.WaitUntil(deadline_ns);
    if (!changed && !ready_) {
      NoteStalledAttempt();
      co_return absl::DeadlineExceededError(fmt::format("no connection to {} in time", options_.address));
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> ShardConnection::Exchange(const ShardRequest* request, PendingReply* reply, int64_t deadline_ns) {
  bool was_lost = false;
  for (uint32_t busy = 0;;) {
    absl::Status status;
    if (request->type == wire::FrameType::kLoad && loop_->NowNs() < loads_busy_until_ns_) {
      status = HoldBack(reply);
    } else {
      status = co_await TryExchange(request, reply, deadline_ns);
    }
    if (reply->answered_) co_return status;  // Part of the answer was delivered: once more would give it twice.
    if (absl::IsUnavailable(status) && !was_lost && !breaker_.open()) {
      was_lost = true;
    } else if (absl::IsResourceExhausted(status) && busy < options_.busy_retries && reply->retry_after_us_ > 0) {
      ++busy;
      const uint64_t wait_us = reply->retry_after_us_ + random_->Below(reply->retry_after_us_ / 4 + 1);
      const int64_t again_ns = loop_->NowNs() + static_cast<int64_t>(wait_us) * 1000;
      if (again_ns >= deadline_ns) co_return status;
      const bool stopped = co_await stop_.WaitUntil(again_ns);
      if (stopped) co_return status;
    } else {
      co_return status;
    }
  }
}

// The shard said when to come back. Asking before would cost it time that others could be served in.
absl::Status ShardConnection::HoldBack(PendingReply* reply) {
  reply->Reset();
  const int64_t left_ns = std::max<int64_t>(loads_busy_until_ns_ - loop_->NowNs(), 0);
  reply->retry_after_us_ = static_cast<uint32_t>(left_ns / 1000 + 1);
  ++counters_->loads_held_back;
  return absl::ResourceExhaustedError(
      fmt::format("{} is busy and asked not to be asked for {} us", options_.address, reply->retry_after_us_));
}

Task<absl::Status> ShardConnection::TryExchange(const ShardRequest* request, PendingReply* reply, int64_t deadline_ns) {
  reply->Reset();
  while (true) {
    absl::Status ready = co_await WaitReady(deadline_ns);
    if (!ready.ok()) co_return ready;
    if (slots_.TryAcquire(1)) break;
    const bool acquired = co_await slots_.Acquire(1, deadline_ns);
    if (!acquired) {
      // If abandoned requests hold every slot, nothing more is sent: only this notices that the shard stays silent.
      if (silent_since_ns_ == 0) BeginSilence();
      NoteSilence();
      co_return absl::DeadlineExceededError("no request slot in time");
    }
    if (ready_) break;
    slots_.Release(1);
  }
  if (loop_->NowNs() >= deadline_ns) {
    slots_.Release(1);
    co_return absl::DeadlineExceededError("the deadline came before the request could be sent");
  }
  const uint64_t id = next_id_++;
  if (request->in_namespace) {
    std::memcpy(request->meta->data() + request->namespace_at, &session_.namespace_id, sizeof(session_.namespace_id));
  }
  OutgoingFrame frame;
  frame.header.type = request->type;
  frame.header.request_id = id;
  frame.header.epoch = session_.epoch;
  frame.meta = request->meta;
  frame.payload = request->payload;
  frame.bulk = request->bulk;
  frame.fill = request->fill;
  const std::shared_ptr<SharedLink> link = link_;
  if (!request->shared.empty() && !PrepareShared(request, &frame)) {
    slots_.Release(1);
    co_return absl::NotFoundError(fmt::format("{} does not share this memory", options_.address));
  }
  pending_[id] = reply;
  if (silent_since_ns_ == 0 && !reply->patient()) BeginSilence();
  sends_.Push(std::move(frame));
  const bool done = co_await reply->done_.WaitUntil(deadline_ns);
  if (done) {
    co_await FinishSending(id, request, deadline_ns);
    slots_.Release(1);
  } else {
    co_await Abandon(id, request, reply);
    reply->status_ = absl::DeadlineExceededError(
        fmt::format("{}: no {} in time", options_.address, wire::FrameTypeName(reply->expected_)));
  }
  if (!request->shared.empty()) {
    Task<void> taking = TakeBackMemory(link, request, id, done, reply->status_.code());
    co_await taking;
  }
  co_return reply->status_;
}

// The node may answer before it has taken the whole request (busy, for instance).
Task<void> ShardConnection::FinishSending(uint64_t id, const ShardRequest* request, int64_t deadline_ns) {
  if (sends_.Remove(id) || request->payload.empty()) co_return;
  const bool sent = co_await sends_.WaitSent(id, deadline_ns);
  if (sent) co_return;
  if (channel_ != nullptr) channel_->Close();
  co_await sends_.WaitSent(id, kForeverNs);
}

// The deadline has passed. The caller's memory must be out of use before this ends.
Task<void> ShardConnection::Abandon(uint64_t id, const ShardRequest* request, PendingReply* reply) {
  ++counters_->expired_calls;
  NoteSilence();
  if (sends_.Remove(id)) {
    pending_.erase(id);
    slots_.Release(1);
    co_return;
  }
  reply->abandoned_ = true;
  // What was begun cannot be taken back: a frame cut short ends the connection. A small one is left to end by itself.
  const bool payload_in_use = sends_.sending(id) && !request->payload.empty();
  if (payload_in_use && channel_ != nullptr) channel_->Close();
  if (reply->delivering_) {
    reply->settled_.Clear();
    channel_->CancelReceive();
    co_await reply->settled_.Wait();
  }
  if (payload_in_use) co_await sends_.WaitSent(id, kForeverNs);
  if (pending_.erase(id) == 0 || !ready_) {
    slots_.Release(1);
  } else {
    abandoned_.insert(id);
    if (abandoned_.size() > kMaxAbandoned) channel_->Close();
  }
}

void ShardConnection::FailAll(const absl::Status& status) {
  for (auto& [id, reply] : pending_) reply->Finish(status);
  pending_.clear();
  if (!abandoned_.empty()) slots_.Release(abandoned_.size());
  abandoned_.clear();
}

}  // namespace incipit
