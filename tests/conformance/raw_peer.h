// A bare peer for tests of what a shard does about others than right clients.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cache/format/layout.h"
#include "tests/conformance/lane.h"
#include "transport/frame_channel.h"
#include "transport/wire/messages.h"
#include "transport/wire/shared_messages.h"

namespace incipit::conformance {

// A bare peer: sends any bytes, and reads what comes back or does not.
class RawPeer {
 public:
  explicit RawPeer(Lane* lane) : lane_(lane), connector_(lane->MakeConnector()) {
    auto stream = lane_->Run(connector_->Connect(lane->address(), kForeverNs));
    EXPECT_TRUE(stream.ok()) << stream.status();
    channel_ = std::make_unique<FrameChannel>(*std::move(stream));
  }
  FrameChannel* channel() { return channel_.get(); }
  absl::Status Send(wire::FrameType type, uint64_t id, const std::vector<uint8_t>& meta, std::vector<int> fds = {},
                    uint16_t flags = 0, std::vector<uint8_t> payload = {}) {
    const wire::FrameHeader header{.type = type, .flags = flags, .request_id = id};
    const iovec piece{payload.data(), payload.size()};
    return lane_->Run(channel_->Send(header, meta, {&piece, payload.empty() ? 0u : 1u}, {}, std::move(fds)));
  }
  template <typename Message>
  absl::Status Send(wire::FrameType type, uint64_t id, const Message& message, std::vector<int> fds = {}) {
    std::vector<uint8_t> meta;
    message.Encode(&meta);
    return Send(type, id, meta, std::move(fds));
  }
  absl::Status SendBytes(ByteView bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    return lane_->Run(channel_->stream()->Write({&piece, 1})).status();
  }
  absl::StatusOr<wire::FrameHeader> Receive() {
    const auto frame = lane_->Run(channel_->Receive());
    if (!frame.ok()) return frame.status();
    return frame->header;
  }
  // The next frame, with its meta: an Error's status, or OK.
  absl::Status Answer(std::vector<uint8_t>* meta = nullptr) {
    const auto frame = lane_->Run(channel_->Receive());
    if (!frame.ok()) return frame.status();
    if (meta != nullptr) meta->assign(frame->meta.begin(), frame->meta.end());
    if (frame->header.type != wire::FrameType::kError) return absl::OkStatus();
    const auto error = wire::Error::Decode(frame->meta);
    return error.ok() ? absl::Status(error->code, error->message) : error.status();
  }
  void Greet(const Layout& layout, uint64_t features = 0) {
    wire::Hello hello;
    hello.features = features;
    hello.tenant = "default";
    ASSERT_TRUE(Send(wire::FrameType::kHello, 1, hello).ok());
    ASSERT_TRUE(Receive().ok());
    ASSERT_TRUE(Send(wire::FrameType::kOpenNamespace, 2, wire::OpenNamespace{"model", layout.Encode()}).ok());
    ASSERT_TRUE(Receive().ok());
  }
  // The connection ends, perhaps after an Error.
  bool IsCutOff() {
    while (true) {
      const auto header = Receive();
      if (!header.ok()) return absl::IsUnavailable(header.status());
      if (header->type != wire::FrameType::kError) return false;
    }
  }

 private:
  Lane* lane_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<FrameChannel> channel_;
};

}  // namespace incipit::conformance
