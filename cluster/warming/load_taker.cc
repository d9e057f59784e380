#include "cluster/warming/load_taker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/fits_layout.h"
#include "transport/wire/segment_table.h"

namespace incipit {
namespace {

constexpr size_t kScratchBytes = 1 << 20;
// How long one block waits for room: as long as a store does.
constexpr int64_t kRoomNs = 500'000'000;

}  // namespace

Task<absl::Status> LoadTaker::OnReply(FrameChannel* channel, const IncomingFrame* frame) {
  const absl::StatusOr<wire::LoadReply> reply = wire::LoadReply::Decode(frame->meta);
  if (!reply.ok()) co_return reply.status();
  if (reply->PayloadBytes() != channel->payload_remaining()) {
    co_return absl::DataLossError(absl::StrCat(channel->PeerName(), ": LoadReply with a payload of ",
                                               channel->payload_remaining(), " bytes, its blocks add up to ",
                                               reply->PayloadBytes()));
  }
  for (const wire::LoadedBlock& block : reply->blocks) {
    if (block.index >= keys_->size() || seen_[block.index]) {
      co_return absl::DataLossError(absl::StrCat(channel->PeerName(), ": LoadReply with block ", block.index, " of ",
                                                 keys_->size(), ", unasked or twice"));
    }
    seen_[block.index] = true;
    if (block.status != wire::BlockStatus::kOk) continue;
    Task<absl::Status> taking = TakeBlock(channel, &block);
    CO_RETURN_IF_ERROR(co_await taking);
  }
  co_return absl::OkStatus();
}

Task<absl::Status> LoadTaker::Skip(FrameChannel* channel, uint64_t bytes) {
  if (scratch_.empty()) scratch_.resize(kScratchBytes);
  while (bytes > 0) {
    const iovec piece{scratch_.data(), std::min<uint64_t>(bytes, scratch_.size())};
    Task<absl::Status> receiving = channel->ReceivePayload({&piece, 1});
    CO_RETURN_IF_ERROR(co_await receiving);
    bytes -= piece.iov_len;
  }
  co_return absl::OkStatus();
}

bool LoadTaker::Verify(const StoreTicket& ticket, const std::vector<Segment>& segments) const {
  std::vector<iovec> pieces;
  uint64_t offset = 0;
  for (const Segment& segment : segments) {
    pieces.clear();
    store_->PayloadPieces(ticket.id(), offset, segment.stored_bytes, &pieces);
    if (Xxh3OfPieces(pieces, 0, segment.stored_bytes) != segment.checksum) return false;
    offset += segment.stored_bytes;
  }
  return true;
}

Task<absl::Status> LoadTaker::TakeBlock(FrameChannel* channel, const wire::LoadedBlock* block) {
  const wire::KeyRef& key = (*keys_)[block->index];
  const GroupSpec& group = store_->namespaces().At(order_->name_space).layout->groups[key.group];
  const uint64_t bytes = wire::StoredBytesOf(block->segments);
  if (!FitsLayout(group, key.part, block->codec, block->segments)) {
    ++result_->damaged;
    Task<absl::Status> skipping = Skip(channel, bytes);
    co_return co_await skipping;
  }
  BlockStore::NewBlock fresh;
  fresh.name_space = order_->name_space;
  fresh.key = key;
  fresh.stamp_ns = order_->stamp_ns;
  fresh.codec = block->codec;
  fresh.segments = block->segments;
  Task<absl::StatusOr<StoreTicket>> reserving =
      store_->Reserve(&fresh, std::min(order_->deadline_ns, loop_->NowNs() + kRoomNs));
  absl::StatusOr<StoreTicket> ticket = co_await reserving;
  if (!ticket.ok()) {  // no room: it stays where it is
    Task<absl::Status> skipping = Skip(channel, bytes);
    co_return co_await skipping;
  }
  std::vector<iovec> pieces;
  store_->PayloadPieces(ticket->id(), 0, bytes, &pieces);
  const bool expects = channel->WantsExpectations();
  if (expects) channel->ExpectPayload(pieces, /*digests=*/nullptr);
  Task<absl::Status> receiving = channel->ReceivePayload(pieces);
  const absl::Status received = co_await receiving;
  if (expects) co_await channel->EndExpected();  // until then the memory may be written to
  if (!received.ok()) co_return received;
  if (!Verify(*ticket, block->segments)) {
    ++result_->damaged;
    co_return absl::OkStatus();
  }
  if (store_->Commit(*std::move(ticket), block->segments) != wire::BlockStatus::kOk) co_return absl::OkStatus();
  ++result_->taken_blocks;
  result_->taken_bytes += bytes;
  co_return absl::OkStatus();
}

}  // namespace incipit
