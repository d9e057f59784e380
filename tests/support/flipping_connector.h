// A network on which one chosen bit of what a client receives or sends is turned. Wraps any connector.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/stream.h"

namespace incipit::testing {

// One bit to turn, counted from the moment it is armed. Shared by the connector and its streams.
struct BitFlip {
  bool armed = false;
  uint64_t byte = 0;  // bytes of this direction still to pass before it
  int bit = 0;
  uint64_t fired = 0;

  void Arm(uint64_t at, int which) { armed = true, byte = at, bit = which; }
  // True, with its place, if the bit lies in the next `bytes` that pass.
  bool Pass(size_t bytes, size_t* at) {
    if (!armed) return false;
    if (byte >= bytes) {
      byte -= bytes;
      return false;
    }
    *at = byte;
    armed = false;
    ++fired;
    return true;
  }
};

struct BitFlips {
  BitFlip received, sent;
};

class FlippingStream : public Stream {
 public:
  FlippingStream(std::unique_ptr<Stream> stream, std::shared_ptr<BitFlips> flips)
      : stream_(std::move(stream)), flips_(std::move(flips)) {}

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override {
    Task<absl::StatusOr<size_t>> reading = stream_->Read(into);
    absl::StatusOr<size_t> moved = co_await reading;
    size_t at = 0;
    if (moved.ok() && flips_->received.Pass(*moved, &at)) {
      size_t piece = 0;
      while (at >= into[piece].iov_len) at -= into[piece++].iov_len;
      static_cast<uint8_t*>(into[piece].iov_base)[at] ^= static_cast<uint8_t>(1u << flips_->received.bit);
    }
    co_return moved;
  }

  // Sends a copy, so that the sender's memory stays as it is.
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override {
    std::vector<uint8_t> copy;
    for (const iovec& piece : from) {
      const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
      copy.insert(copy.end(), bytes, bytes + piece.iov_len);
    }
    size_t at = 0;
    if (flips_->sent.Pass(copy.size(), &at)) copy[at] ^= static_cast<uint8_t>(1u << flips_->sent.bit);
    size_t done = 0;
    absl::Status failed;
    while (done < copy.size() && failed.ok()) {
      const iovec rest{copy.data() + done, copy.size() - done};
      Task<absl::StatusOr<size_t>> writing = stream_->Write({&rest, 1});
      const absl::StatusOr<size_t> moved = co_await writing;
      failed = moved.status();
      if (moved.ok()) done += *moved;
    }
    if (!failed.ok()) co_return failed;
    co_return done;
  }

  // Without digests: they would be of the bytes before the bit was turned.
  void ExpectRead(std::span<const iovec> into, LandedDigests*) override { stream_->ExpectRead(into, nullptr); }
  bool WantsExpectations() const override { return stream_->WantsExpectations(); }
  Task<void> EndExpectedReads() override { return stream_->EndExpectedReads(); }
  uint64_t MaxTransferBytes() const override { return stream_->MaxTransferBytes(); }
  LaneKind lane() const override { return stream_->lane(); }
  void CancelRead() override { stream_->CancelRead(); }
  void Close() override { stream_->Close(); }
  std::string PeerName() const override { return stream_->PeerName(); }

 private:
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<BitFlips> flips_;
};

class FlippingConnector : public Connector {
 public:
  explicit FlippingConnector(std::unique_ptr<Connector> connector) : connector_(std::move(connector)) {}
  BitFlips& flips() { return *flips_; }

  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override {
    Task<absl::StatusOr<std::unique_ptr<Stream>>> connecting = connector_->Connect(std::move(address), deadline_ns);
    absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
    if (!stream.ok()) co_return stream.status();
    co_return std::make_unique<FlippingStream>(*std::move(stream), flips_);
  }

 private:
  std::unique_ptr<Connector> connector_;
  std::shared_ptr<BitFlips> flips_ = std::make_shared<BitFlips>();
};

}  // namespace incipit::testing
