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

// Hello, and Challenge and Proof where there are tenants.
Task<absl::Status> Acceptor::Receive(Guest* guest) {
  Task<absl::StatusOr<IncomingFrame>> receiving = guest->channel->Receive();
  const absl::StatusOr<IncomingFrame> frame = co_await receiving;
  if (!frame.ok()) co_return frame.status();
  guest->request_id = frame->header.request_id;
  absl::StatusOr<wire::Hello> hello = Check(*frame);
  if (!hello.ok()) co_return hello.status();
  guest->hello = *std::move(hello);
  if (options_.authenticator != nullptr && options_.authenticator->required()) {
    std::optional<SessionPass> known =
        options_.authenticator->Recognize(guest->channel->stream()->peer_credentials(), guest->hello);
    if (known.has_value()) {
      guest->pass = *std::move(known);
    } else {
      Task<absl::Status> challenging = Challenge(guest, std::vector<uint8_t>(frame->meta.begin(), frame->meta.end()));
      CO_RETURN_IF_ERROR(co_await challenging);
    }
  }
  if (guest->channel->buffered_bytes() == 0) co_return absl::OkStatus();
  co_return absl::InvalidArgumentError("a client waits for HelloReply before it sends more");
}

Task<absl::Status> Acceptor::Challenge(Guest* guest, std::vector<uint8_t> hello_meta) {
  FrameChannel* channel = guest->channel.get();
  Authenticator::Attempt attempt;
  Authenticator::Refused refused =
      options_.authenticator->Begin(channel->PeerName(), guest->hello, hello_meta, loop_->NowNs(), &attempt);
  guest->retry_after_us = refused.retry_after_us;
  if (!refused.status.ok()) co_return refused.status;
  wire::FrameHeader header;
  header.type = wire::FrameType::kChallenge;
  header.flags = wire::kFrameFlagLast;
  header.request_id = guest->request_id;
  std::vector<uint8_t> meta;
  wire::Challenge{.server_nonce = attempt.server_nonce}.Encode(&meta);
  Task<absl::Status> sending = channel->Send(header, meta, {});
  CO_RETURN_IF_ERROR(co_await sending);
  Task<absl::StatusOr<IncomingFrame>> receiving = channel->Receive();
  const absl::StatusOr<IncomingFrame> frame = co_await receiving;
  if (!frame.ok()) co_return frame.status();
  guest->request_id = frame->header.request_id;
  if (frame->header.type != wire::FrameType::kProof) {
    co_return absl::UnauthenticatedError(
        absl::StrCat("a Challenge is answered with Proof, not ", wire::FrameTypeName(frame->header.type)));
  }
  const absl::StatusOr<wire::Proof> proof = wire::Proof::Decode(frame->meta);
  if (!proof.ok()) co_return proof.status();
  absl::StatusOr<SessionPass> pass = options_.authenticator->Finish(attempt, *proof, loop_->NowNs());
  if (!pass.ok()) co_return pass.status();
  guest->pass = *std::move(pass);
  co_return absl::OkStatus();
}

Task<void> Acceptor::Greet(std::unique_ptr<Stream> stream) {
  Guest guest;
  guest.channel = std::make_unique<FrameChannel>(std::move(stream));
  absl::Status status;
  {
    HelloTimeout timeout(loop_, guest.channel.get(), loop_->NowNs() + options_.hello_timeout_ms * kMillisecondNs);
    Task<absl::Status> receiving = Receive(&guest);
    status = co_await receiving;
  }
  if (status.ok()) {
    route_(guest.hello.shard, std::move(guest.channel), guest.hello, guest.request_id, std::move(guest.pass));
    co_return;
  }
  if (absl::IsUnavailable(status) || absl::IsCancelled(status)) co_return;
  HelloTimeout timeout(loop_, guest.channel.get(), loop_->NowNs() + options_.hello_timeout_ms * kMillisecondNs);
  Task<absl::Status> refusing = Session::SendError(guest.channel.get(), guest.request_id, status, guest.retry_after_us);
  const absl::Status ignored = co_await refusing;  // The connection ends either way.
}

}  // namespace incipit
