#include "transport/ucx/ucx_link.h"

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {
namespace {

// How long what is landing may take once nobody wants it any more. Then the link ends, so that the memory is free.
constexpr int64_t kGraceNs = 20'000'000;
// How long a closed link may take until the peer has what was written before.
constexpr int64_t kFlushNs = 1'000'000'000;

}  // namespace

UcxLink::UcxLink(UcxWorker* worker, std::string peer_name, bool offer_memory)
    : worker_(worker),
      peer_name_(std::move(peer_name)),
      opened_(worker->loop()),
      inbox_(this, offer_memory),
      outbox_(this) {}

UcxLink::~UcxLink() {
  INCIPIT_CHECK(endpoint_ == nullptr, "a link is gone before its endpoint");
  loop()->CancelTimer(this);
}

void UcxLink::Wait(Waiting what, int64_t deadline_ns) {
  waiting_ = what;
  loop()->StartTimer(this, deadline_ns);
}

void UcxLink::FailUnlessOpenedBy(int64_t deadline_ns) { Wait(Waiting::kOpen, deadline_ns); }

void UcxLink::StartGrace() {
  if (waiting_ != Waiting::kGrace && !failed()) Wait(Waiting::kGrace, loop()->NowNs() + kGraceNs);
}

void UcxLink::OnTimer() {
  const Waiting what = std::exchange(waiting_, Waiting::kNone);
  if (what == Waiting::kOpen && !opened_.is_set()) {
    Fail(absl::DeadlineExceededError(absl::StrCat("connect to ", peer_name_, ": no answer in time")));
  } else if (what == Waiting::kGrace && inbox_.landing() > 0) {
    Fail(absl::UnavailableError(absl::StrCat(peer_name_, " did not deliver what it had announced")));
  } else if (what == Waiting::kFlush || what == Waiting::kTaken) {
    Fail(absl::CancelledError(absl::StrCat("link with ", peer_name_, " is closed")));
  }
}

void UcxLink::Fail(absl::Status reason) {
  if (failed()) return;
  status_ = std::move(reason);
  loop()->CancelTimer(this);
  opened_.Set();
  inbox_.Wake();
  outbox_.Wake();
  worker_->CloseEndpoint(shared_from_this());
}

void UcxLink::Close() {
  if (failed() || std::exchange(closing_, true)) return;
  const absl::Status closed = absl::CancelledError(absl::StrCat("link with ", peer_name_, " is closed"));
  if (inbox_.landing() > 0 || !outbox_.idle() || endpoint_ == nullptr) return Fail(closed);
  if (!outbox_.all_taken()) outbox_.SendEnd();
  if (failed()) return;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = &UcxLink::OnFlushed;
  param.user_data = new std::shared_ptr<UcxLink>(shared_from_this());
  ucs_status_ptr_t request = worker_->api()->ep_flush_nbx(endpoint_, &param);
  if (UCS_PTR_IS_PTR(request)) return Wait(Waiting::kFlush, loop()->NowNs() + kFlushNs);
  delete static_cast<std::shared_ptr<UcxLink>*>(param.user_data);
  AwaitTaken();
}

void UcxLink::OnFlushed(void* request, ucs_status_t, void* user_data) {
  const std::unique_ptr<std::shared_ptr<UcxLink>> link(static_cast<std::shared_ptr<UcxLink>*>(user_data));
  (*link)->worker_->api()->request_free(request);
  (*link)->AwaitTaken();
}

// The news that an endpoint was closed travels by another way than its messages, over shared memory at any rate, and
// may overtake them: the reason of a refusal, say. So the peer gets time to take them; it then closes its own end, or
// says that it has them.
void UcxLink::AwaitTaken() {
  if (failed()) return;
  if (!outbox_.all_taken()) {
    if (waiting_ != Waiting::kTaken) Wait(Waiting::kTaken, loop()->NowNs() + kFlushNs);
    return;
  }
  Fail(absl::CancelledError(absl::StrCat("link with ", peer_name_, " is closed")));
}

ucs_status_t UcxLink::OnMessage(const UcxMessage& message, void* data, size_t bytes, bool by_rendezvous) {
  // UCX aborts if the callback for a small message gives anything but OK. A large one is turned down by not receiving
  // it.
  if (failed()) return UCS_OK;
  absl::Status error = outbox_.OnTaken(message.taken);
  ucs_status_t result = UCS_OK;
  if (error.ok() && message.kind == UcxMessageKind::kBytes) {
    result = inbox_.OnMessage(message, data, bytes, by_rendezvous, &error);
  } else if (error.ok() && message.kind == UcxMessageKind::kEnd && bytes == 0) {
    error = inbox_.OnEnd(message.sequence);
  } else if (error.ok() && bytes != 0) {
    error = absl::InvalidArgumentError("ucx message without bytes of the stream carries data");
  }
  if (!error.ok()) {
    Fail(std::move(error));
    return UCS_OK;
  }
  opened_.Set();
  if (waiting_ == Waiting::kTaken) AwaitTaken();
  return result;
}

void UcxLink::OnTaken() {
  if (inbox_.taken() - told_ >= UcxMessage::kAckEvery) outbox_.SendAck();
}

}  // namespace incipit
