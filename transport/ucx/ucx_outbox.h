// The sending half of a link: cuts what is written into messages and keeps to the window.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "cache/runtime/sync.h"
#include "transport/ucx/breather.h"
#include "transport/ucx/ucx_api.h"
#include "transport/ucx/ucx_message.h"

namespace incipit {

class UcxLink;

// A piece of memory of some size travels by rendezvous, straight from where it is, in messages that end where it ends;
// small ones are gathered and go at once. One thread: the loop's. Owned by its link.
class UcxOutbox {
 public:
  explicit UcxOutbox(UcxLink* link);
  ~UcxOutbox();  // REQUIRES: nothing in flight

  // Sends all of `from`. Ends once UCX does not need the memory any more, on failure too.
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from);
  void SendOpen() { SendControl(UcxMessageKind::kOpen); }
  void SendAck() { SendControl(UcxMessageKind::kAck); }
  void SendEnd() { SendControl(UcxMessageKind::kEnd); }
  // The peer says that it has taken so many messages. InvalidArgument: more than were sent.
  absl::Status OnTaken(uint64_t messages);
  void Wake() { changed_.Set(); }

  bool idle() const { return in_flight_ == 0; }
  bool all_taken() const { return peer_taken_ == sent_; }

 private:
  struct Sending;
  struct Cursor;
  void SendControl(UcxMessageKind kind);
  bool MaySend() const;
  void SendNext(Cursor* cursor);
  void Send(std::unique_ptr<Sending> sending, const void* data, size_t bytes, bool by_rendezvous);
  static void OnSent(void* request, ucs_status_t status, void* sending);
  void Ended(size_t bytes, ucs_status_t status);

  UcxLink* link_;
  Event changed_;
  uint64_t sent_ = 0;        // messages of bytes
  uint64_t peer_taken_ = 0;  // of those
  size_t in_flight_ = 0;     // sends that UCX has not ended
  uint64_t bytes_in_flight_ = 0;
  Breather breather_;
};

}  // namespace incipit
