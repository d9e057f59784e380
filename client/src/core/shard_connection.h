// The client's connection to one shard: made, kept, and made again after failures; requests go out and replies come in
// on it, matched by request id.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "client/include/incipit/client.h"
#include "client/src/core/budget.h"
#include "client/src/core/circuit_breaker.h"
#include "client/src/core/handshake.h"
#include "client/src/core/load_pace.h"
#include "client/src/core/pending_reply.h"
#include "client/src/core/send_queue.h"
#include "client/src/core/shared_link.h"
#include "transport/stream.h"

namespace incipit {

struct ShardConnectionOptions {
  std::string address;
  uint16_t shard = wire::kAnyShard;  // kAnyShard: whichever answers first, the same from then on
  HandshakeRequest handshake;
  int64_t step_timeout_ns = 2'000'000'000;  // for connecting, and for each step of the handshake
  CircuitBreaker::Options breaker;
  uint64_t max_inflight_bytes = 64 * kMiB;
  uint32_t busy_retries = 4;
  // Judges what the node said of itself, before the connection is used. An error refuses the connection.
  std::function<absl::Status(const wire::HelloReply&)> on_hello;
  // The node refused to serve this shard at all.
  std::function<void(const absl::Status&)> on_refused;
};

// A request, without the namespace id that its meta starts with if `in_namespace`: that is filled in when it is sent.
struct ShardRequest {
  wire::FrameType type;
  std::shared_ptr<std::vector<uint8_t>> meta;
  std::span<const iovec> payload{};
  bool in_namespace = true;
  bool bulk = false;   // goes after everything that is not
  FillPayload fill{};  // completes the payload as it is sent; must stay callable until Exchange ends
  // Regions that the meta names: it starts with SharedPlaces then, whose slot is filled in as well. Empty: none.
  std::vector<SharedMappingPtr> shared{};
  size_t namespace_at = 0;  // where in the meta the namespace id is, behind SharedPlaces
};

// One thread: the loop's. Start() it, and Stop() it before destroying it. Costs no allocation per request beyond the
// coroutine frames and what the meta needs.
class ShardConnection {
 public:
  ShardConnection(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions options,
                  ClientCounters* counters);
  ~ShardConnection();

  void Start();
  // Instead of Start(): answers every request with `why`, at once.
  void StayDown(absl::Status why) {
    stopping_ = true;
    down_ = std::move(why);
  }
  // Ends all exchanges as Unavailable and the connection. Ends when nothing runs any more.
  Task<void> Stop();

  // OK once requests can be sent. Unavailable at once while the breaker is open; DeadlineExceeded.
  Task<absl::Status> WaitReady(int64_t deadline_ns);
  // Sends a request and waits until `reply` has taken all its frames. Ends at the deadline or very soon after, and then
  // neither `reply` nor the request's payload is touched any more. A busy answer, and once a connection lost before
  // any answer, are followed by another try as long as the deadline permits. After a busy answer to a load, loads are
  // not sent but busy at once until the shard wants to be asked again.
  //   DeadlineExceeded; Unavailable: no connection; ResourceExhausted: busy; otherwise what the node's Error says.
  //   NotFound: the shard does not share the memory that the request names; send it without.
  Task<absl::Status> Exchange(const ShardRequest* request, PendingReply* reply, int64_t deadline_ns);

  bool ready() const { return ready_; }
  // Whether requests may name shared memory, as far as is known now.
  bool shares_memory() const { return link_ != nullptr; }
  uint16_t shard() const { return options_.shard; }
  // Of the connection in use or the last one. REQUIRES: was ready once.
  const wire::HelloReply& hello() const { return session_.hello; }
  // Differs for each connection made; leases do not outlive the one they were granted on.
  uint64_t session_number() const { return session_number_; }
  // Payload bytes asked for and not yet received; bytes of stores not yet answered.
  Budget* load_budget() { return &load_budget_; }
  Budget* store_budget() { return &store_budget_; }
  // Of loads that ended.
  LoadPace* load_pace() { return &load_pace_; }
  // Waits for what others compute: they hold a request slot for long, so they may hold only some.
  Budget* wait_budget() { return &wait_budget_; }
  bool has_feature(uint64_t bit) const { return session_number_ > 0 && (session_.hello.features & bit) != 0; }
  const absl::Status& last_error() const { return last_error_; }

 private:
  Task<void> Run();
  Task<absl::Status> Establish();
  Task<absl::Status> Serve();
  Task<void> SendAll(FrameChannel* channel);
  Task<absl::Status> Dispatch(IncomingFrame frame);
  Task<absl::Status> Deliver(PendingReply* reply, IncomingFrame frame);
  absl::Status TakeError(PendingReply* reply, const IncomingFrame& frame);
  absl::Status HoldBack(PendingReply* reply);
  Task<absl::Status> TryExchange(const ShardRequest* request, PendingReply* reply, int64_t deadline_ns);
  Task<void> Abandon(uint64_t id, const ShardRequest* request, PendingReply* reply);
  bool PrepareShared(const ShardRequest* request, OutgoingFrame* frame);
  void SendAboutRegion(wire::FrameType type, OutgoingFrame frame);
  Task<void> TakeBackMemory(std::shared_ptr<SharedLink> link, const ShardRequest* request, uint64_t id, bool done,
                            absl::StatusCode code);
  Task<void> FinishSending(uint64_t id, const ShardRequest* request, int64_t deadline_ns);
  void FailAll(const absl::Status& status);
  void NoteFailure();
  void NoteSilence();
  void NoteStalledAttempt();
  void NoteHeard();
  void BeginSilence();

  Loop* loop_;
  Connector* connector_;
  Random* random_;
  ShardConnectionOptions options_;
  ClientCounters* counters_;
  CircuitBreaker breaker_;
  bool stopping_ = false;
  absl::Status down_ = absl::UnavailableError("the client is stopping");  // why, once stopping_
  bool ready_ = false;
  int64_t attempt_counted_ns_ = 0;  // 0: no attempt to connect is under way; else when it began or was last a failure
  Event changed_;                   // any of the three above
  Event stop_;
  std::unique_ptr<FrameChannel> channel_;
  AgreedSession session_;
  uint64_t session_number_ = 0;
  bool session_answered_ = false;
  absl::Status last_error_;
  absl::flat_hash_map<uint64_t, PendingReply*> pending_;
  absl::flat_hash_set<uint64_t> abandoned_;  // given up, but their last reply is still to come
  uint64_t next_id_ = 1;
  std::shared_ptr<SharedLink> link_;  // null: this connection shares no memory
  EmptyReply region_reply_;           // to whatever is said about regions
  int64_t loads_busy_until_ns_ = 0;
  int64_t silent_since_ns_ = 0;  // of the oldest request sent since something was last heard; 0 = none
  uint64_t heard_bytes_ = 0;     // received when that time was set
  uint64_t sent_bytes_ = 0;      // sent by then
  Budget slots_;                 // requests the node accepts on one connection
  Budget load_budget_;
  Budget store_budget_;
  LoadPace load_pace_;
  Budget wait_budget_;
  SendQueue sends_;
  TaskScope scope_;
};

}  // namespace incipit
