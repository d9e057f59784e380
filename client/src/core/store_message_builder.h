// Makes the meta of a Store, whose checksums take one pass over the payload, in steps.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "client/src/core/piece_cursor.h"
#include "transport/wire/messages.h"

namespace incipit {

// The steps are made while earlier bytes are on their way, so that the node never waits for a whole frame to be hashed,
// and the bytes hashed are still in the processor's cache when they leave. One thread.
class StoreMessageBuilder {
 public:
  // The segments of one block, all of one size.
  struct Shape {
    uint32_t segment_count = 0;
    uint64_t segment_bytes = 0;
  };

  // `message` has its blocks without segments, `shapes` one entry a block; `payload` is the blocks' bytes in order, and
  // must outlive the builder. The encoded message is put into `meta`.
  StoreMessageBuilder(wire::Store message, std::vector<Shape> shapes, std::span<const iovec> payload,
                      std::shared_ptr<std::vector<uint8_t>> meta)
      : message_(std::move(message)), shapes_(std::move(shapes)), cursor_(payload, 0), meta_(std::move(meta)) {}

  // Goes on for about `budget_bytes` of payload. True once `meta` is whole; calls after that do nothing.
  bool Step(uint64_t budget_bytes);

 private:
  wire::Store message_;
  std::vector<Shape> shapes_;
  PieceCursor cursor_;
  std::shared_ptr<std::vector<uint8_t>> meta_;
  std::vector<iovec> segment_;
  size_t block_ = 0;  // the next segment belongs to it
  bool done_ = false;
};

}  // namespace incipit
