// A connector whose streams can be cut after so many bytes, or made to deliver nothing more: the same faults on any
// lane.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/sync.h"
#include "transport/stream.h"

namespace incipit::conformance {

// Switched on by a test, and looked at by all streams of the connector.
struct StreamFaults {
  explicit StreamFaults(Loop* loop) : changed(loop) {}
  enum Kind { kNone, kCutReads, kCutWrites, kStallReads } kind = kNone;
  uint64_t bytes_left = 0;  // that still pass
  uint64_t cuts = 0, stalls = 0;
  Event changed;
  void Set(Kind new_kind, uint64_t bytes) {
    kind = new_kind;
    bytes_left = bytes;
    changed.Set();
  }
};

class FaultyStream : public Stream {
 public:
  FaultyStream(std::unique_ptr<Stream> stream, StreamFaults* faults) : stream_(std::move(stream)), faults_(faults) {}

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override {
    cancelled_ = false;
    if (Due(StreamFaults::kCutReads)) co_return Cut();
    while (Due(StreamFaults::kStallReads)) {
      ++faults_->stalls;
      if (cancelled_ || closed_) co_return absl::CancelledError("stalled read cancelled");
      faults_->changed.Clear();
      co_await faults_->changed.Wait();
    }
    const std::vector<iovec> pieces = Limited(into, {StreamFaults::kCutReads, StreamFaults::kStallReads});
    Task<absl::StatusOr<size_t>> reading = stream_->Read(pieces);
    const absl::StatusOr<size_t> count = co_await reading;
    if (count.ok()) Count(*count, {StreamFaults::kCutReads, StreamFaults::kStallReads});
    co_return count;
  }
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override {
    if (Due(StreamFaults::kCutWrites)) co_return Cut();
    const std::vector<iovec> pieces = Limited(from, {StreamFaults::kCutWrites});
    Task<absl::StatusOr<size_t>> writing = stream_->Write(pieces);
    const absl::StatusOr<size_t> count = co_await writing;
    if (count.ok()) Count(*count, {StreamFaults::kCutWrites});
    co_return count;
  }
  void CancelRead() override {
    cancelled_ = true;
    faults_->changed.Set();
    stream_->CancelRead();
  }
  void Close() override {
    closed_ = true;
    faults_->changed.Set();
    stream_->Close();
  }
  void ExpectRead(std::span<const iovec> into, LandedDigests* digests) override { stream_->ExpectRead(into, digests); }
  bool WantsExpectations() const override { return stream_->WantsExpectations(); }
  Task<void> EndExpectedReads() override { return stream_->EndExpectedReads(); }
  uint64_t MaxTransferBytes() const override { return stream_->MaxTransferBytes(); }
  std::string PeerName() const override { return stream_->PeerName(); }
  LaneKind lane() const override { return stream_->lane(); }
  bool CarriesDescriptors() const override { return stream_->CarriesDescriptors(); }
  void AttachDescriptors(std::vector<int> fds) override { stream_->AttachDescriptors(std::move(fds)); }
  std::vector<OwnedFd> TakeDescriptors(size_t count) override { return stream_->TakeDescriptors(count); }

 private:
  using Kinds = std::initializer_list<StreamFaults::Kind>;
  bool On(Kinds kinds) const { return std::find(kinds.begin(), kinds.end(), faults_->kind) != kinds.end(); }
  bool Due(StreamFaults::Kind kind) const { return faults_->kind == kind && faults_->bytes_left == 0; }
  // One connection is cut; those made later are whole.
  absl::Status Cut() {
    ++faults_->cuts;
    faults_->Set(StreamFaults::kNone, 0);
    stream_->Close();
    return absl::UnavailableError("cut by the test");
  }
  std::vector<iovec> Limited(std::span<const iovec> pieces, Kinds kinds) const {
    std::vector<iovec> limited;
    uint64_t left = On(kinds) ? faults_->bytes_left : UINT64_MAX;
    for (const iovec& piece : pieces) {
      if (left == 0) break;
      limited.push_back({piece.iov_base, std::min<uint64_t>(piece.iov_len, left)});
      left -= limited.back().iov_len;
    }
    return limited;
  }
  void Count(uint64_t bytes, Kinds kinds) {
    if (On(kinds)) faults_->bytes_left -= std::min(bytes, faults_->bytes_left);
  }

  std::unique_ptr<Stream> stream_;
  StreamFaults* faults_;
  bool cancelled_ = false, closed_ = false;
};

class FaultyConnector : public Connector {
 public:
  FaultyConnector(Loop* loop, std::unique_ptr<Connector> connector) : connector_(std::move(connector)), faults(loop) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override {
    Task<absl::StatusOr<std::unique_ptr<Stream>>> connecting = connector_->Connect(std::move(address), deadline_ns);
    absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
    if (!stream.ok()) co_return stream.status();
    co_return std::make_unique<FaultyStream>(*std::move(stream), &faults);
  }

 private:
  std::unique_ptr<Connector> connector_;

 public:
  StreamFaults faults;
};

}  // namespace incipit::conformance
