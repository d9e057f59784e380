#include "transport/ucx/guard/ucx_frame_cutter.h"

#include <algorithm>

namespace incipit {
namespace {

// Of a body of `body_bytes`, `bytes` begin at `at`: copies those that lie in [from, from + into.size()).
void Keep(ByteView bytes, size_t at, size_t from, MutableBytes into) {
  const size_t begin = std::max(at, from), end = std::min(at + bytes.size(), from + into.size());
  if (begin < end) std::memcpy(into.data() + (begin - from), bytes.data() + (begin - at), end - begin);
}

}  // namespace

bool UcxFrameCutter::Take(ByteView bytes, UcxFrameVisitor* visitor) {
  while (!bytes.empty()) {
    if (header_bytes_ < header_.size()) {
      const size_t take = std::min(bytes.size(), header_.size() - header_bytes_);
      std::memcpy(header_.data() + header_bytes_, bytes.data(), take);
      header_bytes_ += take;
      bytes = bytes.subspan(take);
      if (header_bytes_ < header_.size()) return true;
      id_ = header_[0];
      std::memcpy(&body_bytes_, header_.data() + 1, sizeof(body_bytes_));
      seen_ = 0;
      if (!visitor->OnBegin(id_, body_bytes_)) return false;
    }
    const size_t take = std::min<size_t>(bytes.size(), body_bytes_ - seen_);
    if (!TakeBody(bytes.first(take), visitor)) return false;
    bytes = bytes.subspan(take);
  }
  return true;
}

bool UcxFrameCutter::TakeBody(ByteView bytes, UcxFrameVisitor* visitor) {
  const size_t head = std::min<size_t>(body_bytes_, kHeadBytes), tail = std::min<size_t>(body_bytes_, kTailBytes);
  Keep(bytes, seen_, 0, MutableBytes(head_).first(head));
  Keep(bytes, seen_, body_bytes_ - tail, MutableBytes(tail_).first(tail));
  seen_ += static_cast<uint32_t>(bytes.size());
  if (seen_ < body_bytes_) return true;
  header_bytes_ = 0;
  return visitor->OnFrame({id_, body_bytes_, ByteView(head_).first(head), ByteView(tail_).first(tail)});
}

}  // namespace incipit
