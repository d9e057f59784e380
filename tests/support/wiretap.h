// A network on which somebody listens. Wraps any connector.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/stream.h"

namespace incipit::testing {

// Keeps everything that passes in either direction.
class Wiretap : public Stream {
 public:
  Wiretap(std::unique_ptr<Stream> stream, std::vector<uint8_t>* heard) : stream_(std::move(stream)), heard_(heard) {}
  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override {
    Task<absl::StatusOr<size_t>> reading = stream_->Read(into);
    absl::StatusOr<size_t> moved = co_await reading;
    if (moved.ok()) Keep(into, *moved);
    co_return moved;
  }
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override {
    Task<absl::StatusOr<size_t>> writing = stream_->Write(from);
    absl::StatusOr<size_t> moved = co_await writing;
    if (moved.ok()) Keep(from, *moved);
    co_return moved;
  }
  void CancelRead() override { stream_->CancelRead(); }
  void Close() override { stream_->Close(); }
  std::string PeerName() const override { return stream_->PeerName(); }

 private:
  void Keep(std::span<const iovec> pieces, size_t bytes) {
    for (const iovec& piece : pieces) {
      const auto* from = static_cast<const uint8_t*>(piece.iov_base);
      const size_t take = std::min(bytes, piece.iov_len);
      heard_->insert(heard_->end(), from, from + take);
      bytes -= take;
    }
  }
  std::unique_ptr<Stream> stream_;
  std::vector<uint8_t>* heard_;
};

class TappedConnector : public Connector {
 public:
  TappedConnector(std::unique_ptr<Connector> connector, std::vector<uint8_t>* heard)
      : connector_(std::move(connector)), heard_(heard) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override {
    Task<absl::StatusOr<std::unique_ptr<Stream>>> connecting = connector_->Connect(std::move(address), deadline_ns);
    absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
    if (!stream.ok()) co_return stream.status();
    co_return std::make_unique<Wiretap>(*std::move(stream), heard_);
  }

 private:
  std::unique_ptr<Connector> connector_;
  std::vector<uint8_t>* heard_;
};

}  // namespace incipit::testing
