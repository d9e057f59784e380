#include "transport/frame_channel.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "transport/landed_digests.h"

namespace incipit {
namespace {

constexpr size_t kReadAheadBytes = 16 * 1024;
// A payload that is completed on its way is sent in smaller transfers: what was just read to complete it is then still
// near in the processor's caches when it is copied out. Still smaller ones wake the receiver too often; measured with
// `incipit bench --op store`, 256 KiB to 1 MiB.
constexpr uint64_t kMaxFilledTransferBytes = 768 << 10;
constexpr size_t kDiscardBytes = 256 * 1024;
constexpr size_t kMetaKeptBytes = 64 * 1024;  // a larger meta buffer is given back after its frame

// The leading pieces of `pieces` from (index, offset) on, up to `limit` bytes. Gives the bytes covered.
size_t Window(std::span<const iovec> pieces, size_t index, size_t offset, size_t limit, std::vector<iovec>* out) {
  out->clear();
  size_t total = 0;
  for (; index < pieces.size() && total < limit; ++index, offset = 0) {
    const size_t take = std::min(pieces[index].iov_len - offset, limit - total);
    if (take == 0) continue;
    out->push_back({static_cast<uint8_t*>(pieces[index].iov_base) + offset, take});
    total += take;
  }
  return total;
}

void Advance(std::span<const iovec> pieces, size_t count, size_t* index, size_t* offset) {
  while (count > 0) {
    const size_t take = std::min(count, pieces[*index].iov_len - *offset);
    count -= take;
    *offset += take;
    if (*offset == pieces[*index].iov_len) {
      ++*index;
      *offset = 0;
    }
  }
}

}  // namespace

FrameChannel::FrameChannel(std::unique_ptr<Stream> stream) : stream_(std::move(stream)), buffer_(kReadAheadBytes) {}
FrameChannel::~FrameChannel() = default;

size_t FrameChannel::TakeBuffered(MutableBytes into) {
  const size_t take = std::min(into.size(), buffer_end_ - buffer_begin_);
  if (take == 0) return 0;  // `into` may be an empty view of nothing
  std::memcpy(into.data(), buffer_.data() + buffer_begin_, take);
  buffer_begin_ += take;
  return take;
}

Task<absl::Status> FrameChannel::ReadExactly(MutableBytes into, bool in_frame) {
  const size_t wanted = into.size();
  into = into.subspan(TakeBuffered(into));
  while (!into.empty()) {
    const bool direct = into.size() >= buffer_.size();
    const iovec piece = direct ? iovec{into.data(), into.size()} : iovec{buffer_.data(), buffer_.size()};
    read_waiting_ = in_frame || into.size() < wanted ? ++transfers_ : 0;
    const absl::StatusOr<size_t> count = co_await stream_->Read({&piece, 1});
    read_waiting_ = 0;
    if (!count.ok()) co_return count.status();
    if (*count == 0) co_return absl::UnavailableError(absl::StrCat(stream_->PeerName(), " closed the connection"));
    bytes_received_ += *count;
    if (direct) {
      into = into.subspan(*count);
    } else {
      buffer_begin_ = 0;
      buffer_end_ = *count;
      into = into.subspan(TakeBuffered(into));
    }
  }
  co_return absl::OkStatus();
}

Task<absl::StatusOr<IncomingFrame>> FrameChannel::Receive() {
  if (payload_remaining_ != 0) co_return absl::InternalError("payload of the last frame was not taken");
  absl::Status status = co_await ReadExactly(receive_header_, /*in_frame=*/false);
  if (!status.ok()) co_return status;
  absl::StatusOr<wire::FrameHeader> header = wire::FrameHeader::Decode(receive_header_);
  if (!header.ok()) co_return header.status();
  if (meta_.capacity() > kMetaKeptBytes && header->meta_bytes <= kMetaKeptBytes) std::vector<uint8_t>().swap(meta_);
  meta_.resize(header->meta_bytes);
  status = co_await ReadExactly(meta_, /*in_frame=*/true);
  if (!status.ok()) co_return status;
  status = wire::VerifyFrame(receive_header_, meta_);
  if (!status.ok()) co_return status;
  payload_remaining_ = header->payload_bytes;
  co_return IncomingFrame{*header, meta_};
}

Task<absl::Status> FrameChannel::ReceivePayload(std::span<const iovec> into) {
  size_t index = 0, offset = 0;
  cancel_receive_ = false;
  while (true) {
    const size_t window = Window(into, index, offset, kMaxTransferBytes, &receive_pieces_);
    if (window == 0) co_return absl::OkStatus();
    if (window > payload_remaining_) co_return absl::InternalError("asked for more payload than the frame carries");
    size_t moved = 0;
    if (buffer_begin_ < buffer_end_) {
      moved = TakeBuffered({static_cast<uint8_t*>(receive_pieces_[0].iov_base), receive_pieces_[0].iov_len});
    } else {
      read_waiting_ = ++transfers_;
      const absl::StatusOr<size_t> count = co_await stream_->Read(receive_pieces_);
      read_waiting_ = 0;
      if (!count.ok() && !(cancel_receive_ && absl::IsCancelled(count.status()))) co_return count.status();
      if (count.ok() && *count == 0) {
        co_return absl::UnavailableError(absl::StrCat(stream_->PeerName(), " closed the connection inside a payload"));
      }
      moved = count.ok() ? *count : 0;
      bytes_received_ += moved;
    }
    payload_remaining_ -= moved;
    Advance(into, moved, &index, &offset);
    if (cancel_receive_ && index < into.size()) co_return absl::CancelledError("receive cancelled");
  }
}

void FrameChannel::ExpectPayload(std::span<const iovec> into, LandedDigests* digests) {
  size_t index = 0, offset = 0;
  // What was read ahead is not to come any more.
  if (digests != nullptr) digests->StartBehind(buffer_end_ - buffer_begin_);
  for (size_t ahead = buffer_end_ - buffer_begin_; ahead > 0 && index < into.size(); offset = 0, ++index) {
    const size_t take = std::min(ahead, into[index].iov_len);
    ahead -= take;
    if (take < into[index].iov_len) {
      offset = take;
      break;
    }
  }
  std::vector<iovec> pieces;
  if (Window(into, index, offset, payload_remaining_, &pieces) > 0) stream_->ExpectRead(pieces, digests);
}

Task<absl::Status> FrameChannel::DiscardPayload() {
  std::vector<uint8_t> scratch(std::min<uint64_t>(payload_remaining_, kDiscardBytes));
  while (payload_remaining_ > 0) {
    const iovec piece{scratch.data(), std::min<uint64_t>(payload_remaining_, scratch.size())};
    absl::Status status = co_await ReceivePayload({&piece, 1});
    if (!status.ok() && !cancel_receive_) co_return status;
  }
  co_return absl::OkStatus();
}

void FrameChannel::CancelReceive() {
  cancel_receive_ = true;
  stream_->CancelRead();
}

void FrameChannel::LimitTransfers(uint64_t bytes) {
  transfer_bytes_ = std::clamp(bytes, kMinTransferBytes, kMaxTransferBytes);
}

Task<absl::Status> FrameChannel::Send(wire::FrameHeader header, ByteView meta, std::span<const iovec> payload,
                                      FillPayload fill, std::vector<int> descriptors) {
  header.meta_bytes = static_cast<uint32_t>(meta.size());
  header.payload_bytes = 0;
  for (const iovec& piece : payload) header.payload_bytes += piece.iov_len;
  send_header_ = header.Encode(meta);
  std::vector<iovec> pieces;
  pieces.reserve(payload.size() + 2);
  pieces.push_back({send_header_.data(), send_header_.size()});
  if (!meta.empty()) pieces.push_back({const_cast<uint8_t*>(meta.data()), meta.size()});
  pieces.insert(pieces.end(), payload.begin(), payload.end());
  if (!descriptors.empty()) stream_->AttachDescriptors(std::move(descriptors));
  const uint64_t payload_start = send_header_.size() + meta.size();
  // The receiver of a shared frame has all it needs to start once it has the meta: it must not wait for the checksums.
  const bool meta_first = fill && (header.flags & wire::kFrameFlagShared) != 0;
  uint64_t sent = 0;
  size_t index = 0, offset = 0;
  const uint64_t least_bytes = std::max(transfer_bytes_, stream_->MaxTransferBytes());
  const size_t transfer_bytes = fill ? std::min(transfer_bytes_, kMaxFilledTransferBytes) : least_bytes;
  while (index < pieces.size()) {
    const size_t limit = meta_first && sent < payload_start ? payload_start - sent : transfer_bytes;
    const size_t window = Window(pieces, index, offset, limit, &send_pieces_);
    if (window == 0) break;
    if (fill && sent + window > payload_start) fill(sent + window - payload_start);
    write_waiting_ = ++transfers_;
    const absl::StatusOr<size_t> count = co_await stream_->Write(send_pieces_);
    write_waiting_ = 0;
    if (!count.ok()) co_return count.status();
    bytes_sent_ += *count;
    sent += *count;
    Advance(pieces, *count, &index, &offset);
  }
  co_return absl::OkStatus();
}

}  // namespace incipit
