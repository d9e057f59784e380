#include "cache/shard/store_receiver.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "cache/base/defence.h"
#include "cache/base/status_macros.h"
#include "cache/shard/fits_layout.h"
#include "transport/shared/piece_copy.h"
#include "transport/wire/segment_table.h"
#include "transport/wire/shared_messages.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
// Memory is found for blocks of about this many bytes at once, and as much is received at once: few system calls, and
// the bytes are still in the processor's cache when they are verified.
constexpr uint64_t kGroupBytes = 1 << 20;
constexpr size_t kMaxGroupBlocks = 128;
// Copied from shared memory before others on the thread get their turn, and hashed while it is near in the caches.
constexpr uint64_t kSharedStretchBytes = 256 << 10;

class StoreReceiver {
 public:
  StoreReceiver(Session* session, uint64_t request_id, std::vector<uint8_t> meta, bool shared)
      : session_(session),
        shard_(session->shard()),
        store_(shard_->store()),
        request_id_(request_id),
        meta_(std::move(meta)),
        shared_(shared) {}

  Task<absl::Status> Run() {
    received_ns_ = shard_->loop()->NowNs();
    const absl::Status checked = Check();
    if (!checked.ok()) {
      Task<absl::Status> discarding = session_->channel()->DiscardPayload();
      CO_RETURN_IF_ERROR(co_await discarding);
      Task<void> replying = session_->ReplyError(request_id_, checked);
      co_await replying;
      co_return absl::OkStatus();
    }
    while (next_ < request_.blocks.size()) {
      Task<void> yielding = shard_->admission()->YieldToLoads();
      co_await yielding;
      Task<absl::Status> receiving = ReceiveGroup();
      CO_RETURN_IF_ERROR(co_await receiving);
    }
    shard_->counters()->store_latency.Record(shard_->loop()->NowNs() - received_ns_);
    std::vector<uint8_t> out;
    reply_.Encode(&out);
    Task<void> replying = session_->Reply(wire::FrameType::kStoreReply, request_id_, std::move(out));
    co_await replying;
    co_return absl::OkStatus();
  }

 private:
  // One block of the group being received. Its bytes land in the arena where they are wanted, else in scratch.
  struct Incoming {
    size_t index = 0;
    std::vector<Segment> segments;  // with the checksums that the client stated, once all has been received
    std::vector<uint64_t> stated;   // the checksum table, as it arrives
    std::optional<StoreTicket> ticket;
    bool present = false;  // already here: what the client stated is compared with it
  };
  // Segments [first, end) of one block, received together with others and not yet hashed.
  struct Stretch {
    Incoming* block = nullptr;
    size_t first = 0, end = 0;
    uint64_t offset = 0;  // of the first in the block's payload
  };

  absl::Status Check() {
    ByteView rest = meta_;
    wire::SharedPlaces places;
    if (shared_) {
      ASSIGN_OR_RETURN(places, wire::SharedPlaces::Decode(meta_, &rest));
      if (places.slot != 0) return absl::InvalidArgumentError("store: slot is not 0, only loads have a control word");
    }
    ASSIGN_OR_RETURN(request_, wire::Store::Decode(rest));
    ASSIGN_OR_RETURN(name_space_, session_->NamespaceOf(request_.namespace_id, Role::kWrite));
    for (const wire::StoredBlock& block : request_.blocks)
      RETURN_IF_ERROR(session_->CheckKeys(name_space_, {block.key}));
    uint64_t expected = request_.PayloadBytes();
    if (shared_) {
      ASSIGN_OR_RETURN(const RegionTable* regions, session_->regions());
      uint64_t block_bytes = 0;
      for (const wire::StoredBlock& block : request_.blocks) block_bytes += wire::StoredBytesOf(block.segments);
      ASSIGN_OR_RETURN(source_, regions->Resolve(places, block_bytes));
      copy_.emplace(source_.pieces, std::span<const iovec>(), PieceCopy::Stores::kCached);
      expected -= block_bytes;
    }
    if (expected != session_->channel()->payload_remaining()) {
      return absl::InvalidArgumentError(absl::StrCat("store: payload of ", session_->channel()->payload_remaining(),
                                                     " bytes, but its segments add up to ", expected));
    }
    reply_.statuses.resize(request_.blocks.size(), wire::BlockStatus::kRejected);
    stamp_ns_ = session_->StampOf(request_.stamp_ns);
    ++shard_->counters()->stores;
    return absl::OkStatus();
  }

  // Decides whether the block's bytes are wanted, and finds memory for them.
  Task<void> Admit(Incoming* incoming) {
    const wire::StoredBlock& block = request_.blocks[incoming->index];
    ++shard_->counters()->store_blocks;
    const GroupSpec& group = store_->namespaces().At(name_space_).layout->groups[block.key.group];
    if (!FitsLayout(group, block.key.part, block.codec, incoming->segments) || !session_->knows_codec(block.codec)) {
      ++shard_->counters()->store_rejected;
      co_return;
    }
    const BlockId present = store_->Find(name_space_, block.key);
    if (present != kNoBlock && store_->PresenceOf(present) != wire::Presence::kMiss) {
      store_->Touch(present, stamp_ns_);
      reply_.statuses[incoming->index] = wire::BlockStatus::kPresent;
      incoming->present = true;
      co_return;
    }
    if (!shard_->takes_stores()) {
      ++shard_->counters()->store_busy;
      reply_.statuses[incoming->index] = wire::BlockStatus::kBusy;
      co_return;
    }
    if (!session_->MayStoreNow()) {
      ++shard_->counters()->stores_shed;
      reply_.statuses[incoming->index] = wire::BlockStatus::kBusy;
      co_return;
    }
    BlockStore::NewBlock fresh;
    fresh.name_space = name_space_;
    fresh.key = block.key;
    fresh.stamp_ns = stamp_ns_;
    fresh.writer_id = session_->writer_id();
    fresh.codec = block.codec;
    fresh.segments = incoming->segments;
    // Room that blocks of this very group hold does not come while it waits: it waits in vain once, not for each block.
    const int64_t wait_ms = waited_in_vain_ ? 0 : shard_->options().limits.store_wait_ms;
    const int64_t deadline_ns = shard_->loop()->NowNs() + wait_ms * kMillisecondNs;
    Task<absl::StatusOr<StoreTicket>> reserving = store_->Reserve(&fresh, deadline_ns);
    absl::StatusOr<StoreTicket> ticket = co_await reserving;
    if (ticket.ok()) {
      incoming->ticket.emplace(*std::move(ticket));
    } else if (absl::IsResourceExhausted(ticket.status())) {
      waited_in_vain_ = true;
      ++shard_->counters()->store_busy;
      reply_.statuses[incoming->index] = wire::BlockStatus::kBusy;
    } else {
      ++shard_->counters()->store_rejected;  // Will never fit: its status is kRejected already.
    }
  }

  Task<absl::Status> ReceiveGroup() {
    std::vector<Incoming> group;
    uint64_t bytes = 0;
    waited_in_vain_ = false;
    while (next_ < request_.blocks.size() && bytes < kGroupBytes && group.size() < kMaxGroupBlocks) {
      Incoming& incoming = group.emplace_back();
      incoming.index = next_++;
      incoming.segments = std::move(request_.blocks[incoming.index].segments);
      incoming.stated.resize(incoming.segments.size());
      Task<void> admitting = Admit(&incoming);
      co_await admitting;
      bytes += wire::StoredBytesOf(incoming.segments);
    }
    for (Incoming& incoming : group) {
      Task<absl::Status> receiving = ReceiveBlock(&incoming);
      CO_RETURN_IF_ERROR(co_await receiving);
    }
    Task<absl::Status> rest = ReceiveStretches();
    CO_RETURN_IF_ERROR(co_await rest);
    Task<absl::Status> tables = session_->channel()->ReceivePayload(tables_);
    CO_RETURN_IF_ERROR(co_await tables);
    tables_.clear();
    for (Incoming& incoming : group) {
      Task<void> finishing = Finish(&incoming);
      co_await finishing;
    }
    co_return absl::OkStatus();
  }

  // Adds the block to what is to be received, and receives whenever that is enough.
  Task<absl::Status> ReceiveBlock(Incoming* incoming) {
    Stretch stretch{.block = incoming};
    uint64_t end_offset = 0;
    const uint64_t most_bytes = shared_ ? kSharedStretchBytes : kGroupBytes;
    while (stretch.end < incoming->segments.size()) {
      while (stretch.end < incoming->segments.size() && stretch_bytes_ + end_offset - stretch.offset < most_bytes) {
        end_offset += incoming->segments[stretch.end++].stored_bytes;
      }
      const uint64_t bytes = end_offset - stretch.offset;
      if (incoming->ticket.has_value()) {
        store_->PayloadPieces(incoming->ticket->id(), stretch.offset, bytes, &pieces_);
        stretches_.push_back(stretch);
      } else if (!shared_) {
        AddScratch(bytes, &pieces_);
      } else {  // Bytes that nobody wants are not even looked at.
        Task<absl::Status> before = ReceiveStretches();
        CO_RETURN_IF_ERROR(co_await before);
        copy_->SkipFrom(bytes);
      }
      stretch_bytes_ += bytes;
      if (stretch_bytes_ >= most_bytes) {
        Task<absl::Status> receiving = ReceiveStretches();
        CO_RETURN_IF_ERROR(co_await receiving);
      }
      stretch.first = stretch.end;
      stretch.offset = end_offset;
    }
    const uint64_t table_bytes = incoming->stated.size() * wire::kSegmentChecksumBytes;
    // From shared memory the bytes come by another way than their checksums, which are on the socket either way.
    (shared_ ? tables_ : pieces_).push_back({incoming->stated.data(), table_bytes});
    stretch_bytes_ += shared_ ? 0 : table_bytes;
    co_return absl::OkStatus();
  }

  // Unavailable if the connection ended meanwhile.
  Task<absl::Status> CopyPieces() {
    copy_->To(pieces_);
    while (!pieces_.empty() && copy_->Copy(kSharedStretchBytes)) co_await SleepUntil(shard_->loop(), 0);
    co_await SleepUntil(shard_->loop(), 0);
    if (session_->channel()->closed()) co_return absl::UnavailableError("the connection was closed inside a store");
    co_return absl::OkStatus();
  }

  Task<absl::Status> ReceiveStretches() {
    Task<absl::Status> receiving;
    if (shared_) {
      receiving = CopyPieces();
    } else {
      receiving = session_->channel()->ReceivePayload(pieces_);
    }
    CO_RETURN_IF_ERROR(co_await receiving);
    for (const Stretch& stretch : stretches_) Hash(stretch);
    pieces_.clear();
    stretches_.clear();
    stretch_bytes_ = 0;
    co_return absl::OkStatus();
  }

  void AddScratch(uint64_t bytes, std::vector<iovec>* pieces) {
    if (scratch_.empty()) scratch_.resize(kGroupBytes);
    while (bytes > 0) {  // Bytes that nobody wants may land on each other.
      const uint64_t take = std::min<uint64_t>(bytes, scratch_.size());
      pieces->push_back({scratch_.data(), take});
      bytes -= take;
    }
  }

  // While the bytes are still in the processor's cache.
  void Hash(const Stretch& stretch) {
    uint64_t offset = stretch.offset;
    for (size_t i = stretch.first; i < stretch.end; ++i) {
      Segment& segment = stretch.block->segments[i];
      segment_pieces_.clear();
      store_->PayloadPieces(stretch.block->ticket->id(), offset, segment.stored_bytes, &segment_pieces_);
      segment.checksum = Xxh3OfPieces(segment_pieces_, 0, segment.stored_bytes);
      offset += segment.stored_bytes;
    }
  }

  // The block and its checksum table have arrived.
  Task<void> Finish(Incoming* incoming) {
    wire::BlockStatus* status = &reply_.statuses[incoming->index];
    if (incoming->present) {
      for (size_t i = 0; i < incoming->segments.size(); ++i) incoming->segments[i].checksum = incoming->stated[i];
      const BlockId present = store_->Find(name_space_, request_.blocks[incoming->index].key);
      if (present == kNoBlock) co_return;  // It was evicted or removed meanwhile; it was here when it was offered.
      Task<wire::BlockStatus> comparing =
          store_->CompareWithStored(present, request_.blocks[incoming->index].codec, std::move(incoming->segments));
      *status = co_await comparing;
    } else if (incoming->ticket.has_value()) {
      *status = VerifyAndCommit(incoming);
    }
  }

  wire::BlockStatus VerifyAndCommit(Incoming* incoming) {
    for (size_t i = 0; i < incoming->segments.size(); ++i) {
      if (!INCIPIT_DEFENDED(kPublishAfterVerify) || incoming->segments[i].checksum == incoming->stated[i]) continue;
      ++shard_->counters()->store_damaged;
      return wire::BlockStatus::kDamaged;
    }
    const uint64_t bytes = wire::StoredBytesOf(incoming->segments);
    shard_->counters()->store_bytes += bytes;
    session_->lane_counters()->store_bytes += bytes;
    return store_->Commit(std::move(*incoming->ticket), incoming->segments);
  }

  Session* session_;
  Shard* shard_;
  BlockStore* store_;
  uint64_t request_id_;
  std::vector<uint8_t> meta_;  // the keys of request_ are views into it
  int64_t received_ns_ = 0;
  wire::Store request_;
  wire::StatusReply reply_;
  NamespaceId name_space_ = 0;
  uint64_t stamp_ns_ = 0;
  size_t next_ = 0;
  bool waited_in_vain_ = false;  // for room, a block of this group
  bool shared_;
  SharedMemory source_;            // of a shared store
  std::optional<PieceCopy> copy_;  // out of it
  std::vector<iovec> tables_;      // checksum tables of the group, still to come over the socket
  std::vector<uint8_t> scratch_;
  std::vector<iovec> pieces_, segment_pieces_;
  std::vector<Stretch> stretches_;
  uint64_t stretch_bytes_ = 0;  // of pieces_
};

}  // namespace

Task<absl::Status> ReceiveStore(Session* session, uint64_t request_id, std::vector<uint8_t> meta, bool shared) {
  StoreReceiver receiver(session, request_id, std::move(meta), shared);
  Task<absl::Status> running = receiver.Run();
  co_return co_await running;
}

}  // namespace incipit
