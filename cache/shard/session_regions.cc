// Memory that a client shares: what Session does about it.
#include "cache/shard/session.h"
#include "transport/wire/shared_messages.h"

namespace incipit {

absl::StatusOr<const RegionTable*> Session::regions() const {
  if (shares_memory_) return &regions_;
  return absl::FailedPreconditionError("shared memory was not agreed on in Hello, or this lane does not carry it");
}

Task<void> Session::HandleRegisterRegion(uint64_t request_id, ByteView meta) {
  absl::Status status = regions().status();
  if (status.ok()) {
    const absl::StatusOr<wire::RegisterRegion> message = wire::RegisterRegion::Decode(meta);
    // Whatever came with a message that makes no sense is closed here too, or it would be taken for the next one's.
    const wire::RegionKind kind = message.ok() ? message->kind : wire::RegionKind::kControl;
    std::vector<OwnedFd> descriptors = channel_->stream()->TakeDescriptors(RegionTable::DescriptorsOf(kind));
    status = message.ok() ? regions_.Register(*message, std::move(descriptors)) : message.status();
  }
  Task<void> replying;
  if (status.ok()) {
    replying = Reply(wire::FrameType::kRegionReply, request_id, {});
  } else {
    replying = ReplyError(request_id, status);
  }
  co_await replying;
}

Task<void> Session::HandleForgetRegion(uint64_t request_id, ByteView meta) {
  absl::Status status = regions().status();
  const absl::StatusOr<wire::ForgetRegion> message = wire::ForgetRegion::Decode(meta);
  if (status.ok()) status = message.status();
  if (status.ok()) status = regions_.Forget(message->region_id);
  Task<void> replying;
  if (status.ok()) {
    replying = Reply(wire::FrameType::kRegionReply, request_id, {});
  } else {
    replying = ReplyError(request_id, status);
  }
  co_await replying;
}

}  // namespace incipit
