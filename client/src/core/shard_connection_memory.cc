// Requests that name shared memory: what ShardConnection does about the memory.
#include <cstring>
#include <utility>

#include "client/src/core/shard_connection.h"

namespace incipit {

// Registers what the shard does not know yet, ahead of the request, and gives a load its control word. False: this
// connection cannot share the memory.
bool ShardConnection::PrepareShared(const ShardRequest* request, OutgoingFrame* frame) {
  if (link_ == nullptr || !link_->Accepts(request->shared)) return false;
  if (request->type == wire::FrameType::kLoad) {
    const std::optional<uint32_t> slot = link_->TakeSlot(frame->header.request_id);
    if (!slot.has_value()) return false;
    std::memcpy(request->meta->data(), &*slot, sizeof(*slot));
  }
  for (const uint32_t gone : link_->Forget()) {
    auto meta = std::make_shared<std::vector<uint8_t>>();
    wire::ForgetRegion{gone}.Encode(meta.get());
    SendAboutRegion(wire::FrameType::kForgetRegion, {.meta = std::move(meta)});
  }
  for (SharedLink::Registration& registration : link_->Register(request->shared)) {
    auto meta = std::make_shared<std::vector<uint8_t>>();
    registration.message.Encode(meta.get());
    SendAboutRegion(wire::FrameType::kRegisterRegion, {.meta = std::move(meta),
                                                       .descriptors = std::move(registration.descriptors),
                                                       .keep = std::move(registration.keep)});
  }
  frame->header.flags = wire::kFrameFlagShared;
  return true;
}

// Nobody waits for these: the shard takes them in order, and if it refuses one, the request that needs it says so.
void ShardConnection::SendAboutRegion(wire::FrameType type, OutgoingFrame frame) {
  frame.header.type = type;
  frame.header.request_id = next_id_++;
  frame.header.epoch = session_.epoch;
  pending_[frame.header.request_id] = &region_reply_;
  sends_.Push(std::move(frame));
}

// After this the shard does not write into the memory of the request any more.
Task<void> ShardConnection::TakeBackMemory(std::shared_ptr<SharedLink> link, const ShardRequest* request, uint64_t id,
                                           bool done, absl::StatusCode code) {
  if (code == absl::StatusCode::kNotFound) link->Refuse(request->shared);
  if (request->type != wire::FrameType::kLoad) co_return;
  if (code != absl::StatusCode::kOk) {
    Task<void> revoking = SharedLink::Revoke(link, loop_, id);
    co_await revoking;
  }
  // The word of a load that was given up stays in use until the shard has answered in full.
  if (done || !abandoned_.contains(id)) link->FreeSlot(id);
}

}  // namespace incipit
