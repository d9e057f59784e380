// A bare client for tests of the server: sends any frame, right or wrong, and reads what comes back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/sim_loop.h"
#include "transport/frame_channel.h"
#include "transport/mem/mem_network.h"
#include "transport/wire/messages.h"

namespace incipit::testing {

struct Answer {
  wire::FrameHeader header;
  std::vector<uint8_t> meta;
  std::vector<uint8_t> payload;
};

// One thread of virtual time; every call runs the loop until it is done.
class WireClient {
 public:
  WireClient(SimLoop* loop, MemNetwork* network, std::string address)
      : loop_(loop), connector_(network->MakeConnector()) {
    auto stream = loop_->Run(connector_->Connect(std::move(address), kForeverNs));
    if (stream.ok()) channel_ = std::make_unique<FrameChannel>(*std::move(stream));
  }
  bool connected() const { return channel_ != nullptr; }
  FrameChannel* channel() { return channel_.get(); }

  absl::Status SendFrame(wire::FrameType type, uint64_t request_id, const std::vector<uint8_t>& meta,
                         const std::vector<uint8_t>& payload = {}, uint64_t epoch = 0) {
    wire::FrameHeader header;
    header.type = type;
    header.request_id = request_id;
    header.epoch = epoch;
    const iovec piece{const_cast<uint8_t*>(payload.data()), payload.size()};
    return loop_->Run(channel_->Send(header, meta, {&piece, payload.empty() ? 0u : 1u}));
  }
  absl::Status SendRaw(const std::vector<uint8_t>& bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    auto sent = loop_->Run(channel_->stream()->Write({&piece, 1}));
    return sent.status();
  }
  absl::StatusOr<Answer> Receive() { return loop_->Run(ReceiveTask()); }

  template <typename Message>
  absl::StatusOr<Answer> Call(wire::FrameType type, const Message& message, const std::vector<uint8_t>& payload = {}) {
    std::vector<uint8_t> meta;
    message.Encode(&meta);
    absl::Status status = SendFrame(type, next_id_++, meta, payload);
    if (!status.ok()) return status;
    return Receive();
  }

  absl::StatusOr<wire::HelloReply> SayHello(uint16_t shard = wire::kAnyShard, std::string tenant = "default") {
    wire::Hello hello;
    hello.shard = shard;
    hello.client_id = 7;
    hello.tenant = std::move(tenant);
    auto answer = Call(wire::FrameType::kHello, hello);
    if (!answer.ok()) return answer.status();
    if (answer->header.type != wire::FrameType::kHelloReply) return ErrorOf(*answer);
    return wire::HelloReply::Decode(answer->meta);
  }
  absl::StatusOr<uint32_t> Open(const Layout& layout, std::string model = "model") {
    wire::OpenNamespace open;
    open.model = std::move(model);
    open.layout = layout.Encode();
    auto answer = Call(wire::FrameType::kOpenNamespace, open);
    if (!answer.ok()) return answer.status();
    if (answer->header.type != wire::FrameType::kOpenNamespaceReply) return ErrorOf(*answer);
    auto reply = wire::OpenNamespaceReply::Decode(answer->meta);
    if (!reply.ok()) return reply.status();
    return reply->namespace_id;
  }
  // The status that an Error frame carries; OK for any other frame.
  static absl::Status ErrorOf(const Answer& answer) {
    if (answer.header.type != wire::FrameType::kError) return absl::OkStatus();
    auto error = wire::Error::Decode(answer.meta);
    if (!error.ok()) return error.status();
    return absl::Status(error->code, error->message);
  }

 private:
  Task<absl::StatusOr<Answer>> ReceiveTask() {
    auto receiving = channel_->Receive();
    auto frame = co_await receiving;
    if (!frame.ok()) co_return frame.status();
    Answer answer;
    answer.header = frame->header;
    answer.meta.assign(frame->meta.begin(), frame->meta.end());
    answer.payload.resize(frame->header.payload_bytes);
    const iovec piece{answer.payload.data(), answer.payload.size()};
    auto taking = channel_->ReceivePayload({&piece, answer.payload.empty() ? 0u : 1u});
    const absl::Status taken = co_await taking;
    if (!taken.ok()) co_return taken;
    co_return answer;
  }

  SimLoop* loop_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<FrameChannel> channel_;
  uint64_t next_id_ = 1;
};

}  // namespace incipit::testing
