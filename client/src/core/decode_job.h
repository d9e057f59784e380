// Coded segments of a load that have landed, on their way through `CodingWorkers` into the caller's memory.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/piece_coder.h"
#include "client/src/codec/sealer_pool.h"

namespace incipit {

// Filled on the loop's thread, run there or on a coding thread, read on the loop's again. Owns the stored bytes; the
// caller of the load must leave its memory in place until then.
class DecodeJob {
 public:
  enum class Outcome : uint8_t { kWaiting, kDecoded, kDamaged, kUndecodable };
  struct Item {
    uint32_t block = 0;  // index in its batch
    Codec codec = Codec::kRaw;
    Segment segment;
    size_t pieces_end = 0;  // of its raw bytes in pieces_, from the end of those before
    // Of what is sealed: its block's identity in identities_, and its index in the block's part.
    size_t identity_at = 0, identity_bytes = 0;
    uint16_t index = 0;
    Outcome outcome = Outcome::kWaiting;
  };

  // The next segment: its stored bytes lie behind those of the one before. `place`: of what is sealed.
  void Add(uint32_t block, Codec codec, const Segment& segment, std::span<const iovec> raw,
           const SegmentPlace& place = {});
  bool empty() const { return items_.empty(); }
  // REQUIRES: `landed` is what the added segments landed in, in memory of `buffer`.
  void SetLanded(BufferPool::Buffer buffer, ByteView landed);

  // Verifies each segment's checksum, then opens what is sealed, then decodes it. REQUIRES: SetLanded() was called;
  // `sealers` if any is sealed.
  void Run(PieceCoder* coder, SealerPool* sealers = nullptr);
  std::span<const Item> items() const { return items_; }

 private:
  bool Decode(const Item& item, PieceCoder* coder, SealedCodec* sealer, ByteView stored, std::span<const iovec> raw);

  std::vector<Item> items_;
  std::vector<iovec> pieces_;
  std::vector<uint8_t> identities_;
  BufferPool::Buffer buffer_;
  ByteView landed_;
};

}  // namespace incipit
