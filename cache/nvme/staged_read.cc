#include "cache/nvme/staged_read.h"

namespace incipit {

StagedRead::StagedRead() = default;
StagedRead::StagedRead(StagedRead&& other) noexcept = default;
StagedRead& StagedRead::operator=(StagedRead&& other) noexcept = default;
StagedRead::~StagedRead() = default;

ByteView StagedRead::header() const { return state_ == nullptr ? ByteView{} : state_->header; }

std::span<const iovec> StagedRead::payload() const {
  return state_ == nullptr ? std::span<const iovec>{} : std::span<const iovec>(state_->payload);
}

}  // namespace incipit
