// Silence of a shard: when it counts as a failure.
#include <fmt/format.h>

#include <algorithm>

#include "client/src/core/shard_connection.h"

namespace incipit {
namespace {

// A request that expires counts as a failure of the shard only if nothing was heard for at least this long: a call
// with a deadline of a millisecond says nothing about the shard's health.
constexpr int64_t kSilenceNs = 100'000'000;

// A shard that takes a store over a slow network has nothing to say meanwhile, however long that is. More than a match
// of as many keys as one may have.
constexpr uint64_t kSendingBytes = 1 << 20;

}  // namespace

void ShardConnection::NoteFailure() {
  if (breaker_.OnFailure()) ++counters_->breaker_opened;
}

void ShardConnection::BeginSilence() {
  silent_since_ns_ = loop_->NowNs();
  sent_bytes_ = channel_->bytes_sent();
}

void ShardConnection::NoteHeard() {
  const bool expecting = std::ranges::any_of(pending_, [](const auto& entry) { return !entry.second->patient(); });
  silent_since_ns_ = 0;
  if (expecting) BeginSilence();
  heard_bytes_ = channel_->bytes_received();
}

// A call expired while a peer lets the client wait for its handshake. Attempts end by a time limit of their own, which
// may be many calls' deadlines away.
void ShardConnection::NoteStalledAttempt() {
  const int64_t now_ns = loop_->NowNs();
  if (attempt_counted_ns_ == 0 || now_ns - attempt_counted_ns_ < kSilenceNs) return;
  attempt_counted_ns_ = now_ns;  // Calls that expire together are one failure.
  last_error_ = absl::UnavailableError(fmt::format("{} does not finish the start of a connection", options_.address));
  NoteFailure();
  if (breaker_.open()) changed_.Set();
}

// A request expired. If the shard has been silent all the while, it is as good as dead.
void ShardConnection::NoteSilence() {
  if (!ready_ || silent_since_ns_ == 0) return;
  if (channel_->bytes_received() != heard_bytes_) return NoteHeard();
  const int64_t silent_ns = loop_->NowNs() - silent_since_ns_;
  if (silent_ns < kSilenceNs) return;
  const bool was_sending = channel_->bytes_sent() - sent_bytes_ > kSendingBytes;
  BeginSilence();  // Requests that expire together are one failure.
  if (was_sending ? breaker_.OnFailure() : breaker_.OnSilence(silent_ns)) ++counters_->breaker_opened;
  if (breaker_.open()) {
    session_answered_ = true;  // Counted already.
    channel_->Close();
  }
}

}  // namespace incipit
