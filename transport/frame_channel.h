// Messages over a Stream: one frame at a time in each direction, payload straight from and into the caller's memory.
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/runtime/task.h"
#include "transport/stream.h"
#include "transport/wire/frame.h"

namespace incipit {

// A frame whose header and meta have arrived and are verified; its payload is still to be taken.
struct IncomingFrame {
  wire::FrameHeader header;
  ByteView meta;  // valid until the next Receive
};

// Completes the payload of a frame while it is being sent: called before its bytes up to `payload_end` leave.
using FillPayload = std::function<void(uint64_t payload_end)>;

// One thread. One Receive/ReceivePayload and one Send outstanding at a time; receiving and sending are independent.
// After any error but Cancelled from ReceivePayload the channel is of no further use: Close it.
class FrameChannel {
 public:
  static constexpr uint64_t kMinTransferBytes = 64 << 10;
  // One transfer moves at most this much, so that others on the thread get their turn within a millisecond.
  static constexpr uint64_t kMaxTransferBytes = 1 << 20;

  explicit FrameChannel(std::unique_ptr<Stream> stream);
  ~FrameChannel();

  // Waits for the next frame. Any payload of the last one must have been received or discarded before.
  // Unavailable: the peer closed or the connection broke. InvalidArgument, DataLoss: what came is not a frame.
  Task<absl::StatusOr<IncomingFrame>> Receive();

  // Takes exactly the bytes that `into` holds, at most payload_remaining(). If CancelReceive() is called meanwhile, it
  // soon ends with Cancelled, `into` is no longer written to, and the rest of the payload can be discarded.
  Task<absl::Status> ReceivePayload(std::span<const iovec> into);
  Task<absl::Status> DiscardPayload();
  // Announces what the next calls of ReceivePayload will ask for, all in order; on some lanes the bytes then come by
  // themselves while those before them are being worked on. EndExpected() must follow, whatever happens, before the
  // memory may be used for anything else. `digests` as in Stream::ExpectRead, of all of `into`; may be null.
  void ExpectPayload(std::span<const iovec> into, LandedDigests* digests);
  bool WantsExpectations() const { return stream_->WantsExpectations(); }  // otherwise it is of no use
  Task<void> EndExpected() { return stream_->EndExpectedReads(); }
  uint64_t payload_remaining() const { return payload_remaining_; }
  void CancelReceive();

  // Sends at most so much at a time from now on, within kMinTransferBytes and kMaxTransferBytes. One transfer keeps the
  // thread busy from end to end, so where several channels of a thread are sending, each should send less at a time.
  void LimitTransfers(uint64_t bytes);
  // Sends one frame with all of `payload`. The memory must not change until it ends, but for what `fill` does.
  // `descriptors` go with its first byte and must stay open until it ends. REQUIRES: the stream carries them.
  Task<absl::Status> Send(wire::FrameHeader header, ByteView meta, std::span<const iovec> payload,
                          FillPayload fill = {}, std::vector<int> descriptors = {});

  // The transfer that waits for the peer now, 0 if none does: a read counts only once a part of its frame has arrived.
  // The same number at two times means that not one byte moved in between, and that it is the peer's doing.
  uint64_t read_waiting() const { return read_waiting_; }
  uint64_t write_waiting() const { return write_waiting_; }

  void Close() {
    closed_ = true;
    stream_->Close();
  }
  bool closed() const { return closed_; }  // by this side
  Stream* stream() { return stream_.get(); }
  std::string PeerName() const { return stream_->PeerName(); }
  uint64_t bytes_received() const { return bytes_received_; }
  uint64_t bytes_sent() const { return bytes_sent_; }
  // Gives the stream away with nothing of it read ahead. REQUIRES: nothing outstanding, buffered_bytes() == 0.
  std::unique_ptr<Stream> ReleaseStream() { return std::move(stream_); }
  size_t buffered_bytes() const { return buffer_end_ - buffer_begin_; }

 private:
  Task<absl::Status> ReadExactly(MutableBytes into, bool in_frame);
  size_t TakeBuffered(MutableBytes into);

  std::unique_ptr<Stream> stream_;
  std::vector<uint8_t> buffer_;  // read ahead: small frames then cost one system call
  size_t buffer_begin_ = 0, buffer_end_ = 0;
  std::vector<uint8_t> meta_;
  std::vector<iovec> receive_pieces_, send_pieces_;
  std::array<uint8_t, wire::kFrameHeaderBytes> receive_header_{}, send_header_{};
  uint64_t payload_remaining_ = 0;
  uint64_t transfer_bytes_ = kMaxTransferBytes;  // of one sending
  bool cancel_receive_ = false;
  bool closed_ = false;
  uint64_t bytes_received_ = 0, bytes_sent_ = 0;
  uint64_t transfers_ = 0, read_waiting_ = 0, write_waiting_ = 0;
};

}  // namespace incipit
