// The lanes of a node on one network: "ucx://NAME" reaches what "tcp://NAME" does, as long as the test lets it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cache/runtime/sync.h"
#include "transport/stream.h"

namespace incipit::testing {

// What has become of the ucx lane, and who took which. Shared by connectors and streams.
struct LaneSwitch {
  enum class Ucx { kWorks, kRefuses, kSilent };
  explicit LaneSwitch(Loop* loop) : changed(loop) {}
  void Set(Ucx state) {
    ucx = state;
    changed.Set();
  }
  // Connections that are there stand still too, or go on.
  void Stall(bool on) {
    stalled = on;
    changed.Set();
  }

  Ucx ucx = Ucx::kWorks;
  bool stalled = false;
  uint64_t ucx_tried = 0, ucx_made = 0, tcp_made = 0;
  Event changed;
};

class SwitchedStream : public Stream {
 public:
  SwitchedStream(std::unique_ptr<Stream> stream, LaneSwitch* lanes, LaneKind kind)
      : stream_(std::move(stream)), lanes_(lanes), kind_(kind) {}
  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override {
    while (kind_ == LaneKind::kUcx && lanes_->stalled && !closed_) {
      lanes_->changed.Clear();
      co_await lanes_->changed.Wait();
    }
    if (closed_) co_return absl::CancelledError("closed");
    Task<absl::StatusOr<size_t>> reading = stream_->Read(into);
    co_return co_await reading;
  }
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override { return stream_->Write(from); }
  void CancelRead() override { stream_->CancelRead(); }
  void Close() override {
    closed_ = true;
    lanes_->changed.Set();
    stream_->Close();
  }
  std::string PeerName() const override { return stream_->PeerName(); }
  LaneKind lane() const override { return kind_; }

 private:
  std::unique_ptr<Stream> stream_;
  LaneSwitch* lanes_;
  LaneKind kind_;
  bool closed_ = false;
};

class SwitchedConnector : public Connector {
 public:
  SwitchedConnector(std::unique_ptr<Connector> network, Loop* loop, LaneSwitch* lanes)
      : network_(std::move(network)), loop_(loop), lanes_(lanes) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override {
    const bool ucx = address.starts_with("ucx://");
    if (ucx) {
      ++lanes_->ucx_tried;
      if (lanes_->ucx == LaneSwitch::Ucx::kRefuses) co_return absl::UnavailableError("ucx: refused by the test");
      if (lanes_->ucx == LaneSwitch::Ucx::kSilent) {
        co_await SleepUntil(loop_, deadline_ns);
        co_return absl::DeadlineExceededError("ucx: no answer in time");
      }
      address.replace(0, 3, "tcp");
    }
    Task<absl::StatusOr<std::unique_ptr<Stream>>> connecting = network_->Connect(std::move(address), deadline_ns);
    absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
    if (!stream.ok()) co_return stream.status();
    ++(ucx ? lanes_->ucx_made : lanes_->tcp_made);
    co_return std::make_unique<SwitchedStream>(*std::move(stream), lanes_, ucx ? LaneKind::kUcx : LaneKind::kTcp);
  }

 private:
  std::unique_ptr<Connector> network_;
  Loop* loop_;
  LaneSwitch* lanes_;
};

}  // namespace incipit::testing
