// Stream over a link of UCX.
#pragma once

#include <memory>
#include <string>

#include "transport/stream.h"
#include "transport/ucx/ucx_link.h"

namespace incipit {

// One thread: the loop's. Owns the link's life: closing or dropping the stream ends it. Large reads and writes move
// without a copy where the other side writes in the same pieces; small ones are copied once.
class UcxStream : public Stream {
 public:
  explicit UcxStream(std::shared_ptr<UcxLink> link) : link_(std::move(link)) {}
  ~UcxStream() override { link_->Close(); }

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override;
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override;
  void ExpectRead(std::span<const iovec> into, LandedDigests* digests) override {
    link_->inbox()->ExpectRead(into, digests);
  }
  bool WantsExpectations() const override { return true; }
  Task<void> EndExpectedReads() override { return link_->inbox()->EndExpectedReads(); }
  // Of many rendezvous the waiting overlaps, so as much as possible is begun at once.
  uint64_t MaxTransferBytes() const override { return kMaxTransferBytes; }
  void CancelRead() override { link_->inbox()->Cancel(); }
  void Close() override;
  std::string PeerName() const override { return link_->peer_name(); }
  LaneKind lane() const override { return LaneKind::kUcx; }

 private:
  static constexpr uint64_t kMaxTransferBytes = 16 << 20;
  std::shared_ptr<UcxLink> link_;
  bool closed_ = false;
};

}  // namespace incipit
