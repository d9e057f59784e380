#include "transport/ucx/ucx_inbox.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/piece_cursor.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_placement.h"

namespace incipit {
namespace {

// Bytes [offset, offset + bytes) of `pieces`. REQUIRES: they are there.
std::vector<iovec> Slice(std::span<const iovec> pieces, uint64_t offset, uint64_t bytes) {
  std::vector<iovec> slice;
  PieceCursor(pieces, offset).Take(bytes, &slice);
  return slice;
}

}  // namespace

struct UcxInbox::Incoming {
  explicit Incoming(UcxWorker* owner) : worker(owner) {}
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming() {
    if (announced != nullptr) worker->ReleaseData(announced);
  }
  void BringHome();

  UcxWorker* worker;
  uint64_t bytes = 0;
  uint64_t position = 0;                  // in the stream
  uint64_t offset = 0;                    // read so far
  void* announced = nullptr;              // by rendezvous, and not yet given memory
  bool landing = false;                   // UCX is writing to its memory
  bool foreign = false;                   // target is somebody else's memory; otherwise `own`
  std::optional<UcxPlacement> placement;  // of bytes that we put there ourselves
  std::vector<uint8_t> own;
  std::vector<iovec> target;
  std::vector<ucp_dt_iov_t> ucx_target;  // the same for UCX, which reads it until the receive has ended
};

// Copies what has landed in memory that is about to be taken back.
void UcxInbox::Incoming::BringHome() {
  std::vector<uint8_t> copy(bytes);
  uint8_t* to = copy.data();
  for (const iovec& piece : target) {
    std::memcpy(to, piece.iov_base, piece.iov_len);
    to += piece.iov_len;
  }
  own = std::move(copy);
  target = {{own.data(), own.size()}};
  foreign = false;
}

// What a receive in progress needs, until UCX says that it has ended: perhaps after the link is gone.
struct UcxInbox::Landing {
  std::shared_ptr<UcxLink> link;
  IncomingPtr incoming;
};

UcxInbox::UcxInbox(UcxLink* link, bool offer_memory)
    : link_(link), offer_memory_(offer_memory), changed_(link->loop()), breather_(link->loop()) {}

UcxInbox::~UcxInbox() { INCIPIT_CHECK(landing_ == 0, "UCX still writes to memory of a link that is gone"); }

ucs_status_t UcxInbox::OnMessage(const UcxMessage& message, void* data, size_t bytes, bool by_rendezvous,
                                 absl::Status* error) {
  const size_t limit = by_rendezvous ? UcxMessage::kMaxBytes : UcxMessage::kMaxEagerBytes;
  if (bytes == 0 || bytes > limit) {
    *error = absl::InvalidArgumentError(absl::StrCat("ucx message of ", bytes, " bytes, allowed are 1 to ", limit));
  } else if (message.sequence < next_sequence_ || early_.contains(message.sequence)) {
    *error = absl::InvalidArgumentError(absl::StrCat("ucx message ", message.sequence, " came twice"));
  } else if (message.sequence >= end_sequence_) {
    *error = absl::InvalidArgumentError(absl::StrCat("ucx message ", message.sequence, " came after the end"));
  } else if (message.sequence - taken_ >= UcxMessage::kWindow) {
    *error = absl::InvalidArgumentError(absl::StrCat("ucx message ", message.sequence, " is beyond the window of ",
                                                     UcxMessage::kWindow, " from ", taken_));
  }
  if (!error->ok()) return UCS_OK;
  auto incoming = std::make_shared<Incoming>(link_->worker());
  incoming->bytes = bytes;
  if (by_rendezvous) {
    incoming->announced = data;
  } else {
    const auto* from = static_cast<const uint8_t*>(data);
    incoming->own.assign(from, from + bytes);
    incoming->target = {{incoming->own.data(), bytes}};
  }
  if (message.sequence != next_sequence_) {
    early_.emplace(message.sequence, std::move(incoming));
  } else {
    Enqueue(std::move(incoming));
    for (auto next = early_.find(next_sequence_); next != early_.end(); next = early_.find(next_sequence_)) {
      Enqueue(std::move(next->second));
      early_.erase(next);
    }
    link_->worker()->AfterProgress(link_);
    changed_.Set();
  }
  return by_rendezvous ? UCS_INPROGRESS : UCS_OK;
}

absl::Status UcxInbox::OnEnd(uint64_t messages) {
  const uint64_t seen = early_.empty() ? next_sequence_ : early_.rbegin()->first + 1;
  if (end_sequence_ != UINT64_MAX || messages < seen || messages - taken_ > UcxMessage::kWindow) {
    return absl::InvalidArgumentError(
        absl::StrCat("ucx end after ", messages, " messages: at least ", seen, " came, ", taken_, " were taken"));
  }
  end_sequence_ = messages;
  changed_.Set();
  return absl::OkStatus();
}

void UcxInbox::Enqueue(IncomingPtr incoming) {
  ++next_sequence_;
  incoming->position = end_position_;
  end_position_ += incoming->bytes;
  in_order_.push_back(std::move(incoming));
}

void UcxInbox::ExpectRead(std::span<const iovec> into, LandedDigests* digests) {
  digests_ = digests;
  expected_.assign(into.begin(), into.end());
  expected_begin_ = read_position_;
  expected_end_ = read_position_ + BytesOf(into);
  GiveMemory();
}

void UcxInbox::GiveMemory() {
  if (expected_.empty() || link_->failed()) return;
  for (const IncomingPtr& incoming : in_order_) {
    if (incoming->position + incoming->bytes > expected_end_) return;
    if (incoming->announced == nullptr || incoming->position < expected_begin_) continue;
    const uint64_t position = incoming->position - expected_begin_;
    std::vector<iovec> target = Slice(expected_, position, incoming->bytes);
    if (digests_ != nullptr && link_->worker()->places()) incoming->placement.emplace(digests_, position, target);
    Start(incoming, std::move(target));
  }
}

// An empty target: memory of our own.
void UcxInbox::Start(const IncomingPtr& incoming, std::vector<iovec> target) {
  incoming->foreign = !target.empty();
  if (target.empty()) {
    incoming->own.resize(incoming->bytes);
    target = {{incoming->own.data(), incoming->own.size()}};
  }
  incoming->target = std::move(target);
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_DATATYPE;
  param.cb.recv_am = &UcxInbox::OnLanded;
  param.user_data = new Landing{link_->shared_from_this(), incoming};
  void* buffer = incoming->target[0].iov_base;
  size_t count = incoming->bytes;
  param.datatype = ucp_dt_make_contig(1);
  if (incoming->placement.has_value()) {
    buffer = param.user_data;
    count = 1;
    param.datatype = link_->worker()->placing_type();
    // UCX announces the memory to the peer if it is in one piece, and never if it is described as a list.
  } else if (!offer_memory_ || incoming->target.size() > 1) {
    for (const iovec& piece : incoming->target) incoming->ucx_target.push_back({piece.iov_base, piece.iov_len});
    buffer = incoming->ucx_target.data();
    count = incoming->ucx_target.size();
    param.datatype = UCP_DATATYPE_IOV;
  }
  incoming->landing = true;
  ++landing_;
  void* data = std::exchange(incoming->announced, nullptr);
  ucs_status_ptr_t request =
      link_->worker()->api()->am_recv_data_nbx(link_->worker()->handle(), data, buffer, count, &param);
  if (UCS_PTR_IS_PTR(request)) return;
  OnLanded(nullptr, UCS_PTR_STATUS(request), incoming->bytes, param.user_data);
}

void UcxInbox::OnLanded(void* request, ucs_status_t status, size_t bytes, void* landing) {
  const std::unique_ptr<Landing> done(static_cast<Landing*>(landing));
  if (request != nullptr) done->link->worker()->api()->request_free(request);
  const Incoming& incoming = *done->incoming;
  const uint64_t landed = incoming.placement.has_value() ? incoming.placement->placed() : bytes;
  if (status == UCS_OK && landed != incoming.bytes) status = UCS_ERR_MESSAGE_TRUNCATED;
  done->link->inbox()->Ended(done->incoming.get(), status);
}

ucs_status_t UcxInbox::Place(void* landing, size_t offset, const void* bytes, size_t count) {
  UcxPlacement& placement = *static_cast<Landing*>(landing)->incoming->placement;
  return placement.Place(offset, {static_cast<const uint8_t*>(bytes), count}) ? UCS_OK : UCS_ERR_INVALID_PARAM;
}

const ucp_generic_dt_ops_t UcxInbox::kPlacing = {
    .start_pack = [](void*, const void*, size_t) -> void* { return nullptr; },  // nothing is sent this way
    .start_unpack = [](void*, void* landing, size_t) { return landing; },
    .packed_size = [](void* landing) -> size_t { return static_cast<Landing*>(landing)->incoming->bytes; },
    .pack = [](void*, size_t, void*, size_t) -> size_t { return 0; },
    .unpack = &UcxInbox::Place,
    .finish = [](void*) {},
};

void UcxInbox::Ended(Incoming* incoming, ucs_status_t status) {
  incoming->landing = false;
  if (--landing_ == 0) link_->EndGrace();
  if (status != UCS_OK) {
    link_->Fail(absl::UnavailableError(
        absl::StrCat("receive from ", link_->peer_name(), ": ", link_->worker()->api()->ErrorText(status))));
  }
  changed_.Set();
}

Task<void> UcxInbox::AwaitLandings() {
  while (landing_ > 0) {
    changed_.Clear();
    co_await changed_.Wait();
  }
}

Task<absl::StatusOr<size_t>> UcxInbox::Read(std::span<const iovec> into) {
  cancel_ = false;
  co_await breather_.Next();
  while (in_order_.empty() && !at_end() && !link_->failed() && !cancel_) {
    changed_.Clear();
    co_await changed_.Wait();
  }
  if (at_end()) link_->Fail(absl::UnavailableError(absl::StrCat(link_->peer_name(), " closed the connection")));
  if (!link_->failed() && !in_order_.empty()) {
    const IncomingPtr front = in_order_.front();
    if (front->announced != nullptr) {
      const bool fits = front->bytes <= BytesOf(into);
      std::vector<iovec> target;
      if (fits) target = Slice(into, 0, front->bytes);
      Start(front, std::move(target));
    }
    while (front->landing) {
      changed_.Clear();
      co_await changed_.Wait();
    }
    if (!link_->failed()) co_return Take(into);
  }
  Task<void> ending = AwaitLandings();
  co_await ending;
  if (link_->failed()) co_return link_->status();
  co_return absl::CancelledError(absl::StrCat("read from ", link_->peer_name(), ": cancelled"));
}

// Moves what `incoming` still has to `to`. Bytes that landed where they are wanted are there already. True: all of it.
bool UcxInbox::TakeFrom(Incoming* incoming, PieceCursor* to) {
  for (const iovec& source : Slice(incoming->target, incoming->offset, incoming->bytes - incoming->offset)) {
    const auto* from = static_cast<const uint8_t*>(source.iov_base);
    for (size_t left = source.iov_len; left > 0;) {
      const MutableBytes room = to->Next(left);
      if (room.empty()) return false;
      if (room.data() != from) std::memmove(room.data(), from, room.size());
      from += room.size();
      left -= room.size();
      incoming->offset += room.size();
      read_position_ += room.size();
    }
  }
  return true;
}

// Takes from the first message and from those behind it that are here already.
size_t UcxInbox::Take(std::span<const iovec> into) {
  const uint64_t before = read_position_;
  PieceCursor to(into, 0);
  while (!in_order_.empty()) {
    Incoming* front = in_order_.front().get();
    if (front->announced != nullptr || front->landing || !TakeFrom(front, &to)) break;
    in_order_.pop_front();
    ++taken_;
  }
  link_->OnTaken();
  return read_position_ - before;
}

Task<void> UcxInbox::EndExpectedReads() {
  expected_.clear();
  if (landing_ > 0) link_->StartGrace();
  Task<void> ending = AwaitLandings();
  co_await ending;
  digests_ = nullptr;
  for (const IncomingPtr& incoming : in_order_) {
    if (!incoming->foreign || incoming->announced != nullptr) continue;
    if (link_->failed()) {
      incoming->target.clear();  // nobody reads it any more
    } else {
      incoming->BringHome();
    }
  }
}

void UcxInbox::Cancel() {
  cancel_ = true;
  expected_.clear();  // nothing more begins
  if (landing_ > 0) link_->StartGrace();
  changed_.Set();
}

}  // namespace incipit
