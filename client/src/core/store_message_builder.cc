#include "client/src/core/store_message_builder.h"

#include "client/src/core/segment_codec.h"

namespace incipit {

bool StoreMessageBuilder::Step(uint64_t budget_bytes) {
  for (uint64_t hashed = 0; block_ < shapes_.size() && hashed < budget_bytes;) {
    const Shape& shape = shapes_[block_];
    std::vector<Segment>& segments = message_.blocks[block_].segments;
    segments.reserve(shape.segment_count);
    segment_.clear();
    cursor_.Take(shape.segment_bytes, &segment_);
    segments.push_back(EncodeSegment(segment_, shape.segment_bytes));
    hashed += shape.segment_bytes;
    if (segments.size() == shape.segment_count) ++block_;
  }
  if (done_ || block_ < shapes_.size()) return done_;
  message_.Encode(meta_.get());
  return done_ = true;
}

}  // namespace incipit
