// One connection over UCX: an endpoint, what is under way on it in both directions, and its end.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cache/runtime/sync.h"
#include "transport/ucx/ucx_inbox.h"
#include "transport/ucx/ucx_outbox.h"
#include "transport/ucx/ucx_worker.h"

namespace incipit {

// Held by its stream and by everything that UCX has not ended yet, since UCX's callbacks come when they like, even
// after the endpoint was closed by force. One thread: the loop's.
//
// It fails once, for whatever reason comes first; then the endpoint is closed by force, and all that was under way
// ends.
class UcxLink : public std::enable_shared_from_this<UcxLink>, private Timer {
 public:
  // `offer_memory` as in UcxInbox.
  UcxLink(UcxWorker* worker, std::string peer_name, bool offer_memory);
  ~UcxLink();  // REQUIRES: the endpoint is closed, or was never made

  void set_endpoint(ucp_ep_h endpoint) { endpoint_ = endpoint; }
  void set_token(const UcxToken& token) { token_ = token; }

  UcxWorker* worker() const { return worker_; }
  Loop* loop() const { return worker_->loop(); }
  ucp_ep_h endpoint() const { return endpoint_; }
  const UcxToken& token() const { return token_; }
  const std::string& peer_name() const { return peer_name_; }
  UcxInbox* inbox() { return &inbox_; }
  UcxOutbox* outbox() { return &outbox_; }

  bool failed() const { return !status_.ok(); }
  const absl::Status& status() const { return status_; }
  // Set once the peer has answered that it knows the token, or the link has failed.
  Event* opened() { return &opened_; }

  // Fails unless it is opened first.
  void FailUnlessOpenedBy(int64_t deadline_ns);
  // Fails unless all that is landing has landed soon.
  void StartGrace();
  void EndGrace() {
    if (waiting_ == Waiting::kGrace) waiting_ = Waiting::kNone;
  }
  // Ends everything. Idempotent; the first reason stays.
  void Fail(absl::Status reason);
  // Ends it once the peer has what was written, or had a second for it; at once if something is under way that waits
  // for the peer.
  void Close();

  // A message of this link. The status is for UCX's callback.
  ucs_status_t OnMessage(const UcxMessage& message, void* data, size_t bytes, bool by_rendezvous);
  // The reader took messages: the peer is told once there are many. A message that says it has left.
  void OnTaken();
  void OnTold() { told_ = inbox_.taken(); }

 private:
  enum class Waiting { kNone, kOpen, kGrace, kFlush, kTaken };
  void OnTimer() override;
  void Wait(Waiting what, int64_t deadline_ns);
  void AwaitTaken();
  static void OnFlushed(void* request, ucs_status_t status, void* link);

  UcxWorker* worker_;
  std::string peer_name_;
  ucp_ep_h endpoint_ = nullptr;
  UcxToken token_{};
  absl::Status status_;
  Event opened_;
  UcxInbox inbox_;
  UcxOutbox outbox_;
  uint64_t told_ = 0;  // messages taken that the peer knows of
  Waiting waiting_ = Waiting::kNone;
  bool closing_ = false;
};

}  // namespace incipit
