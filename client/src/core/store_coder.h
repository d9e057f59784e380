// Codes the parts of one Store by `CodingWorkers`, and seals what was coded if there is a key, before it is sent: the
// sizes of coded segments stand in its meta.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "cache/runtime/sync.h"
#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/coding_workers.h"
#include "client/src/codec/sealer_pool.h"

namespace incipit {

// One thread, the loop's; the memory of what is stored must stay as it is until Run() has ended. While one Store is
// sent, others are being coded. Not movable.
class StoreCoder {
 public:
  struct Part {
    uint64_t raw_bytes = 0;
    std::vector<Segment> segments;  // sizes and checksums
    std::vector<iovec> pieces;      // the stored bytes
    MutableBytes room;              // that they lie in; free for another form of the part if that is sent instead
    bool failed = false;            // it could not be sealed
    // Whether coding was worth it, by kMinCodedRatio over the whole part. If not, it is better stored uncoded.
    bool shrank() const;
  };

  // `buffer` has room for the MaxStoredBytes() of each segment that will be added. `sealers`: with a sealing key.
  StoreCoder(Loop* loop, CodingWorkers* workers, BufferPool::Buffer buffer, SealerPool* sealers = nullptr);
  ~StoreCoder();  // REQUIRES: nothing is being coded (checked; aborts)
  StoreCoder(const StoreCoder&) = delete;
  StoreCoder& operator=(const StoreCoder&) = delete;

  // What a segment takes of the buffer, and the codec of its stored form.
  static uint64_t MaxStoredBytes(const CodecOptions& options, bool sealed, uint64_t segment_bytes);
  static Codec StoredCodec(const CodecOptions& options, bool sealed);

  // `identity`: framed, of the part; needed where it is sealed.
  void AddPart(const CodecOptions& options, PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes,
               ByteView identity = {});
  // Codes all that was added. Ends when no worker reads the raw bytes any more.
  Task<void> Run();
  // In the order of adding, of what has been coded; valid as long as this.
  const Part& part(size_t i) const { return parts_[i]; }

 private:
  // Segments of one part, one behind the other.
  struct Job {
    size_t part = 0;
    SealerPool* sealers = nullptr;
    std::vector<uint8_t> identity;
    uint32_t first_segment = 0;
    CodecOptions options;
    PieceCursor at;
    uint32_t segment_count = 0;
    uint64_t segment_bytes = 0;
    MutableBytes room;
    std::vector<Segment> segments;
    uint64_t stored_bytes = 0;
    bool failed = false;
    void Run(PieceCoder* coder);
  };
  void Finish();

  CodingWorkers* workers_;
  SealerPool* sealers_;
  BufferPool::Buffer buffer_;
  MutableBytes room_;  // of buffer_, for further parts
  std::vector<Part> parts_;
  std::deque<Job> jobs_;  // stay where they are
  size_t outstanding_ = 0;
  Event done_;
};

}  // namespace incipit
