#include "cache/node/acceptor.h"

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/session.h"
#include "transport/wire/protocol_version.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kAcceptRetryNs = 50 * kMillisecondNs;

// Closes a channel if its peer says nothing in time.
class HelloTimeout : public Timer {
 public:
  HelloTimeout(Loop* loop, FrameChannel* channel, int64_t deadline_ns) : loop_(loop), channel_(channel) {
    loop_->StartTimer(this, deadline_ns);
  }
  ~HelloTimeout() { loop_->CancelTimer(this); }
  HelloTimeout(const HelloTimeout&) = delete;
  HelloTimeout& operator=(const HelloTimeout&) = delete;
  void OnTimer() override { channel_->Close(); }

 private:
  Loop* loop_;
  FrameChannel* channel_;
};

}  // namespace

Acceptor::Acceptor(Loop* loop, Listener* listener, AcceptorOptions options, Route route)
    : loop_(loop), listener_(listener), options_(options), route_(std::move(route)), greetings_(loop), stop_(loop) {}

Task<void> Acceptor::Run() {
  while (!stopping_) {
    Task<absl::StatusOr<std::unique_ptr<Stream>>> accepting = listener_->Accept();
    absl::StatusOr<std::unique_ptr<Stream>> stream = co_await accepting;
    if (absl::IsCancelled(stream.status())) break;
    if (!stream.ok()) {  // Out of descriptors, most likely: others must close first.
      co_await stop_.WaitUntil(loop_->NowNs() + kAcceptRetryNs);
      continue;
    }
    if (greetings_.running() >= options_.max_waiting) continue;  // Dropping the stream closes it.
    greetings_.Spawn(Greet(*std::move(stream)));
  }
  co_await greetings_.Join();
}

void Acceptor::Stop() {
  stopping_ = true;
  stop_.Set();
  listener_->Close();
}

absl::StatusOr<wire::Hello> Acceptor::Check(const IncomingFrame& frame) const {
  if (frame.header.type != wire::FrameType::kHello || frame.header.payload_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a connection starts with Hello, not ", wire::FrameTypeName(frame.header.type)));
  }
  ASSIGN_OR_RETURN(wire::Hello hello, wire::Hello::Decode(frame.meta));
  RETURN_IF_ERROR(wire::NegotiateVersion(hello).status());
  if (hello.shard == wire::kAnyShard) hello.shard = 0;
  if (hello.shard >= options_.shard_count) {
    return absl::InvalidArgumentError(
        absl::StrCat("shard ", hello.shard, " is not on this node, which has ", options_.shard_count));
  }
  return hello;
}

Task<void> Acceptor::Greet(std::unique_ptr<Stream> stream) {
  auto channel = std::make_unique<FrameChannel>(std::move(stream));
  absl::StatusOr<wire::Hello> hello = absl::UnknownError("");
  uint64_t request_id = 0;
  {
    HelloTimeout timeout(loop_, channel.get(), loop_->NowNs() + options_.hello_timeout_ms * kMillisecondNs);
    Task<absl::StatusOr<IncomingFrame>> receiving = channel->Receive();
    const absl::StatusOr<IncomingFrame> frame = co_await receiving;
    if (frame.ok()) request_id = frame->header.request_id;
    hello = frame.ok() ? Check(*frame) : frame.status();
    if (hello.ok() && channel->buffered_bytes() != 0) {
      hello = absl::InvalidArgumentError("a client waits for HelloReply before it sends more");
    }
  }
  if (hello.ok()) {
    route_(hello->shard, std::move(channel), *hello, request_id);
    co_return;
  }
  if (absl::IsUnavailable(hello.status()) || absl::IsCancelled(hello.status())) co_return;
  HelloTimeout timeout(loop_, channel.get(), loop_->NowNs() + options_.hello_timeout_ms * kMillisecondNs);
  FrameChannel* raw = channel.get();
  Task<absl::Status> refusing = Session::SendError(raw, request_id, hello.status());
  const absl::Status ignored = co_await refusing;  // The connection ends either way.
}

}  // namespace incipit
