// The receiving half of a link: messages in order, and where their bytes land.
#pragma once

#include <sys/uio.h>

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/runtime/sync.h"
#include "transport/ucx/breather.h"
#include "transport/ucx/ucx_api.h"
#include "transport/ucx/ucx_message.h"

namespace incipit {

class LandedDigests;
class PieceCursor;
class UcxLink;

// Small messages are copied out of UCX as they come. Large ones are only announced; their bytes move once they have
// been given memory, straight into it: that of the read they are for, or that which ExpectRead() promised them.
//
// Memory given to UCX belongs to UCX until that message's receive has ended, whatever else happens; Read() and
// EndExpectedReads() return only then. One thread: the loop's. Owned by its link.
class UcxInbox {
 public:
  // `offer_memory`: large messages may be written by the peer's adapter, for which the peer is told the address and the
  // key of the memory. A server never offers its memory: then the peer sends the bytes, and this side puts them there.
  UcxInbox(UcxLink* link, bool offer_memory);
  ~UcxInbox();  // REQUIRES: landing() == 0

  // What UCX hands over, out of its callbacks; gives what the callback is to return. Not OK in `error`: the peer broke
  // the rules.
  ucs_status_t OnMessage(const UcxMessage& message, void* data, size_t bytes, bool by_rendezvous, absl::Status* error);

  // The peer sends no more than so many messages. InvalidArgument: it sent more, or names more than it may send.
  absl::Status OnEnd(uint64_t messages);

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into);
  // `digests`, which may be null, is told of the bytes that are copied there. (Over verbs the peer writes them.)
  void ExpectRead(std::span<const iovec> into, LandedDigests* digests);
  Task<void> EndExpectedReads();
  void Cancel();
  // Starts the receives of announced messages whose memory is known. Not to be called out of UCX's callbacks.
  void GiveMemory();
  // Something changed that a reader should look at: the link failed.
  void Wake() { changed_.Set(); }

  // How UCX is told to hand over the bytes of a message as they come, in place of copying them itself.
  static const ucp_generic_dt_ops_t kPlacing;

  size_t landing() const { return landing_; }
  uint64_t taken() const { return taken_; }

 private:
  struct Incoming;
  struct Landing;
  using IncomingPtr = std::shared_ptr<Incoming>;

  bool at_end() const { return in_order_.empty() && next_sequence_ == end_sequence_; }
  void Enqueue(IncomingPtr incoming);
  void Start(const IncomingPtr& incoming, std::vector<iovec> target);
  static ucs_status_t Place(void* landing, size_t offset, const void* bytes, size_t count);
  static void OnLanded(void* request, ucs_status_t status, size_t bytes, void* landing);
  void Ended(Incoming* incoming, ucs_status_t status);
  bool TakeFrom(Incoming* incoming, PieceCursor* to);
  size_t Take(std::span<const iovec> into);
  Task<void> AwaitLandings();

  UcxLink* link_;
  bool offer_memory_;
  Event changed_;
  std::deque<IncomingPtr> in_order_;
  std::map<uint64_t, IncomingPtr> early_;  // came before one that precedes them
  uint64_t next_sequence_ = 0;
  uint64_t end_sequence_ = UINT64_MAX;  // messages that come in all, once that is known
  uint64_t taken_ = 0;                  // messages wholly read
  uint64_t read_position_ = 0, end_position_ = 0;
  std::vector<iovec> expected_;  // from expected_begin_ on
  uint64_t expected_begin_ = 0, expected_end_ = 0;
  LandedDigests* digests_ = nullptr;  // of expected_
  size_t landing_ = 0;
  bool cancel_ = false;
  Breather breather_;
};

}  // namespace incipit
