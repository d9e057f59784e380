#include "transport/landed_digests.h"

#include <algorithm>
#include <cstring>

#include "cache/base/xxh3.h"
#include "transport/shared/streaming_copy.h"

namespace incipit {
namespace {

// Fills iovecs one after the other.
class PieceFiller {
 public:
  explicit PieceFiller(std::span<const iovec> to) : to_(to) {}

  template <typename Copy>
  void Fill(ByteView bytes, Copy copy) {
    while (!bytes.empty()) {
      const iovec& piece = to_[index_];
      const size_t take = std::min(bytes.size(), piece.iov_len - offset_);
      copy(static_cast<uint8_t*>(piece.iov_base) + offset_, bytes.data(), take);
      bytes = bytes.subspan(take);
      offset_ += take;
      if (offset_ == piece.iov_len) ++index_, offset_ = 0;
    }
  }

 private:
  std::span<const iovec> to_;
  size_t index_ = 0, offset_ = 0;
};

}  // namespace

LandedDigests::LandedDigests(const std::vector<uint64_t>& part_bytes) : digests_(part_bytes.size()) {
  ends_.reserve(part_bytes.size());
  uint64_t end = 0;
  for (const uint64_t bytes : part_bytes) ends_.push_back(end += bytes);
}

void LandedDigests::Place(uint64_t position, ByteView bytes, std::span<const iovec> to) {
  PieceFiller filler(to);
  uint64_t at = base_ + position;
  size_t part = std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin();
  while (!bytes.empty()) {
    const uint64_t end = part < ends_.size() ? ends_[part] : UINT64_MAX;
    const ByteView in_part = bytes.first(std::min<uint64_t>(bytes.size(), end - at));
    const bool starts = part < ends_.size() && at == (part == 0 ? 0 : ends_[part - 1]);
    if (starts && at + in_part.size() == end) {
      digests_[part] = Xxh3Of(in_part);
      filler.Fill(in_part, StreamingCopy);
    } else {
      filler.Fill(in_part,
                  [](uint8_t* target, const uint8_t* from, size_t count) { std::memcpy(target, from, count); });
    }
    bytes = bytes.subspan(in_part.size());
    at += in_part.size();
    ++part;
  }
}

}  // namespace incipit
