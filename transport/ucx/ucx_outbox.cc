#include "transport/ucx/ucx_outbox.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "transport/ucx/ucx_link.h"

namespace incipit {
namespace {

// From here on a piece is worth a rendezvous, which costs a round trip of its own.
constexpr size_t kRendezvousBytes = 16 << 10;
// Of one message: the receiver verifies one while the next is on its way. With UCX's headers it fits into one of tcp's
// segments (TX_SEG_SIZE), and the layers of the usual layouts, of 72 or 36 KiB, into it without a rest.
constexpr size_t kCutBytes = 1008 << 10;
constexpr uint64_t kMaxBytesInFlight = 16 << 20;
static_assert(kCutBytes <= UcxMessage::kMaxBytes && kRendezvousBytes <= UcxMessage::kMaxEagerBytes);

}  // namespace

// What a send needs until UCX says that it has ended: perhaps after the link is gone.
struct UcxOutbox::Sending {
  std::shared_ptr<UcxLink> link;
  std::array<uint8_t, UcxMessage::kHeaderBytes> header;
  std::vector<uint8_t> gathered;
  size_t bytes = 0;
};

struct UcxOutbox::Cursor {
  std::span<const iovec> pieces;
  size_t index = 0, offset = 0;

  // What is left of the piece that is next; empty at the end.
  MutableBytes Piece() {
    while (index < pieces.size() && offset == pieces[index].iov_len) ++index, offset = 0;
    if (index == pieces.size()) return {};
    return {static_cast<uint8_t*>(pieces[index].iov_base) + offset, pieces[index].iov_len - offset};
  }
};

UcxOutbox::UcxOutbox(UcxLink* link) : link_(link), changed_(link->loop()), breather_(link->loop()) {}

UcxOutbox::~UcxOutbox() { INCIPIT_CHECK(in_flight_ == 0, "UCX still sends for a link that is gone"); }

bool UcxOutbox::MaySend() const {
  return sent_ - peer_taken_ < UcxMessage::kWindow && bytes_in_flight_ < kMaxBytesInFlight;
}

Task<absl::StatusOr<size_t>> UcxOutbox::Write(std::span<const iovec> from) {
  Cursor cursor{from};
  size_t total = 0;
  for (const iovec& piece : from) total += piece.iov_len;
  co_await breather_.Next();
  while (!link_->failed()) {
    while (!cursor.Piece().empty() && MaySend() && !link_->failed()) SendNext(&cursor);
    if (cursor.Piece().empty() && bytes_in_flight_ == 0) break;
    changed_.Clear();
    co_await changed_.Wait();
  }
  while (bytes_in_flight_ > 0) {
    changed_.Clear();
    co_await changed_.Wait();
  }
  if (link_->failed()) co_return link_->status();
  co_return total;
}

void UcxOutbox::SendNext(Cursor* cursor) {
  auto sending = std::make_unique<Sending>();
  const MutableBytes piece = cursor->Piece();
  if (piece.size() >= kRendezvousBytes) {
    const size_t bytes = std::min(piece.size(), kCutBytes);
    cursor->offset += bytes;
    return Send(std::move(sending), piece.data(), bytes, /*by_rendezvous=*/true);
  }
  for (MutableBytes next = piece; !next.empty() && next.size() < kRendezvousBytes; next = cursor->Piece()) {
    if (next.size() > UcxMessage::kMaxEagerBytes - sending->gathered.size()) break;
    sending->gathered.insert(sending->gathered.end(), next.begin(), next.end());
    cursor->offset += next.size();
  }
  const std::vector<uint8_t>& gathered = sending->gathered;
  Send(std::move(sending), gathered.data(), gathered.size(), /*by_rendezvous=*/false);
}

void UcxOutbox::SendControl(UcxMessageKind kind) {
  if (link_->failed()) return;
  auto sending = std::make_unique<Sending>();
  UcxMessage message{.kind = kind, .token = link_->token(), .taken = link_->inbox()->taken()};
  if (kind == UcxMessageKind::kEnd) message.sequence = sent_;
  sending->header = message.Encode();
  Send(std::move(sending), nullptr, 0, /*by_rendezvous=*/false);
}

void UcxOutbox::Send(std::unique_ptr<Sending> sending, const void* data, size_t bytes, bool by_rendezvous) {
  if (bytes > 0) {
    const UcxMessage message{.token = link_->token(), .sequence = sent_++, .taken = link_->inbox()->taken()};
    sending->header = message.Encode();
  }
  link_->OnTold();
  sending->link = link_->shared_from_this();
  sending->bytes = bytes;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  param.cb.send = &UcxOutbox::OnSent;
  param.flags = (by_rendezvous ? UCP_AM_SEND_FLAG_RNDV : UCP_AM_SEND_FLAG_EAGER) | UCP_AM_SEND_FLAG_REPLY;
  ++in_flight_;
  bytes_in_flight_ += bytes;
  const UcxApi* api = link_->worker()->api();
  param.user_data = sending.get();
  ucs_status_ptr_t request = api->am_send_nbx(link_->endpoint(), UcxMessage::kActiveMessageId, sending->header.data(),
                                              sending->header.size(), data, bytes, &param);
  if (UCS_PTR_IS_PTR(request)) {
    (void)sending.release();  // OnSent takes it
  } else {
    Ended(bytes, UCS_PTR_STATUS(request));
  }
}

void UcxOutbox::OnSent(void* request, ucs_status_t status, void* sending) {
  const std::unique_ptr<Sending> done(static_cast<Sending*>(sending));
  done->link->worker()->api()->request_free(request);
  done->link->outbox()->Ended(done->bytes, status);
}

void UcxOutbox::Ended(size_t bytes, ucs_status_t status) {
  --in_flight_;
  bytes_in_flight_ -= bytes;
  if (status != UCS_OK) {
    link_->Fail(absl::UnavailableError(
        absl::StrCat("send to ", link_->peer_name(), ": ", link_->worker()->api()->ErrorText(status))));
  }
  changed_.Set();
}

absl::Status UcxOutbox::OnTaken(uint64_t messages) {
  if (messages > sent_) {
    return absl::InvalidArgumentError(
        absl::StrCat(link_->peer_name(), " claims to have taken ", messages, " messages of ", sent_));
  }
  if (messages > peer_taken_) peer_taken_ = messages;
  changed_.Set();
  return absl::OkStatus();
}

}  // namespace incipit
