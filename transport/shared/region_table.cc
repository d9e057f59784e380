#include "transport/shared/region_table.h"

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {

absl::Status RegionTable::Register(const wire::RegisterRegion& message, std::vector<OwnedFd> descriptors) {
  if (descriptors.size() != DescriptorsOf(message.kind)) {
    return absl::InvalidArgumentError(absl::StrCat("region ", message.region_id, ": ", descriptors.size(),
                                                   " descriptors came with it, expected ",
                                                   DescriptorsOf(message.kind)));
  }
  if (message.kind == wire::RegionKind::kControl) return RegisterControl(message, std::move(descriptors));
  if (regions_.contains(message.region_id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("region ", message.region_id, " is registered already; forget it first"));
  }
  if (regions_.size() >= limits_.max_regions || message.bytes > limits_.max_bytes - bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "region ", message.region_id, " of ", message.bytes, " bytes: ", regions_.size(), " regions with ", bytes_,
        " bytes are registered on this connection, at most ", limits_.max_regions, " with ", limits_.max_bytes));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const MappedRegion> region, MappedRegion::Map(descriptors[0], message.bytes));
  regions_[message.region_id] = std::move(region);
  bytes_ += message.bytes;
  return absl::OkStatus();
}

absl::Status RegionTable::RegisterControl(const wire::RegisterRegion& message, std::vector<OwnedFd> descriptors) {
  if (control_ != nullptr) return absl::InvalidArgumentError("a control page is registered already");
  if (message.bytes != kControlBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("control page of ", message.bytes, " bytes, expected ", kControlBytes));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const MappedRegion> page, MappedRegion::Map(descriptors[0], message.bytes));
  control_ = std::move(page);
  pipe_ = std::make_shared<OwnedFd>(std::move(descriptors[1]));
  return absl::OkStatus();
}

absl::Status RegionTable::Forget(uint32_t region_id) {
  const auto found = regions_.find(region_id);
  if (found == regions_.end()) return absl::NotFoundError(absl::StrCat("region ", region_id, " is not registered"));
  bytes_ -= found->second->bytes();
  regions_.erase(found);
  return absl::OkStatus();
}

absl::StatusOr<SharedMemory> RegionTable::Resolve(const wire::SharedPlaces& places, uint64_t expected_bytes) const {
  if (places.Bytes() != expected_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pieces of shared memory are ", places.Bytes(), " bytes, the blocks take ", expected_bytes));
  }
  SharedMemory memory;
  memory.pieces.reserve(places.pieces.size());
  const MappedRegion* last = nullptr;
  uint32_t last_id = 0;
  for (const wire::RegionRef& piece : places.pieces) {
    if (last == nullptr || piece.region_id != last_id) {
      const auto found = regions_.find(piece.region_id);
      if (found == regions_.end()) {
        return absl::NotFoundError(absl::StrCat("region ", piece.region_id, " is not registered on this connection"));
      }
      memory.regions.push_back(found->second);
      last = found->second.get();
      last_id = piece.region_id;
    }
    if (!last->Holds(piece.offset, piece.bytes)) {
      return absl::InvalidArgumentError(absl::StrCat("piece of ", piece.bytes, " bytes at ", piece.offset,
                                                     " is outside of region ", piece.region_id, " of ", last->bytes(),
                                                     " bytes"));
    }
    memory.pieces.push_back({last->base() + piece.offset, piece.bytes});
  }
  return memory;
}

absl::StatusOr<LoadGate> RegionTable::GateOf(uint32_t slot) const {
  if (control_ == nullptr) return absl::NotFoundError("no control page is registered on this connection");
  if (slot >= kControlWords) {
    return absl::InvalidArgumentError(absl::StrCat("control word ", slot, ", there are ", kControlWords));
  }
  return LoadGate(control_, pipe_, slot);
}

}  // namespace incipit
