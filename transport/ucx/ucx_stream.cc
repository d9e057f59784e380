#include "transport/ucx/ucx_stream.h"

#include "absl/strings/str_cat.h"

namespace incipit {

Task<absl::StatusOr<size_t>> UcxStream::Read(std::span<const iovec> into) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("read from ", PeerName(), ": stream is closed"));
  Task<absl::StatusOr<size_t>> reading = link_->inbox()->Read(into);
  absl::StatusOr<size_t> count = co_await reading;
  co_return count;
}

Task<absl::StatusOr<size_t>> UcxStream::Write(std::span<const iovec> from) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("write to ", PeerName(), ": stream is closed"));
  Task<absl::StatusOr<size_t>> writing = link_->outbox()->Write(from);
  absl::StatusOr<size_t> count = co_await writing;
  co_return count;
}

void UcxStream::Close() {
  if (std::exchange(closed_, true)) return;
  link_->inbox()->Cancel();
  link_->Close();
}

}  // namespace incipit
