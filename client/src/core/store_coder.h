// Codes the parts of one Store on worker threads, before it is sent: the sizes of coded segments stand in its meta.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "cache/runtime/sync.h"
#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/coding_workers.h"

namespace incipit {

// One thread, the loop's; the memory of what is stored must stay as it is until Run() has ended. While one Store is
// sent, others are being coded. Not movable.
class StoreCoder {
 public:
  struct Part {
    uint64_t raw_bytes = 0;
    std::vector<Segment> segments;  // sizes and checksums
    std::vector<iovec> pieces;      // the stored bytes
    // Whether coding was worth it, by kMinCodedRatio over the whole part. If not, it is better stored raw.
    bool shrank() const;
  };

  // `buffer` has room for MaxCodedBytes() of each segment that will be added.
  StoreCoder(Loop* loop, CodingWorkers* workers, BufferPool::Buffer buffer);
  ~StoreCoder();  // REQUIRES: nothing is being coded (checked; aborts)
  StoreCoder(const StoreCoder&) = delete;
  StoreCoder& operator=(const StoreCoder&) = delete;

  void AddPart(const CodecOptions& options, PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes);
  // Codes all that was added. Ends when no worker reads the raw bytes any more.
  Task<void> Run();
  // In the order of adding, of what has been coded; valid as long as this.
  const Part& part(size_t i) const { return parts_[i]; }

 private:
  // Segments of one part, one behind the other.
  struct Job {
    size_t part = 0;
    CodecOptions options;
    PieceCursor at;
    uint32_t segment_count = 0;
    uint64_t segment_bytes = 0;
    MutableBytes room;
    std::vector<Segment> segments;
    uint64_t stored_bytes = 0;
    void Run(PieceCoder* coder);
  };
  void Finish();

  CodingWorkers* workers_;
  BufferPool::Buffer buffer_;
  MutableBytes room_;  // of buffer_, for further parts
  std::vector<Part> parts_;
  std::deque<Job> jobs_;  // stay where they are
  size_t outstanding_ = 0;
  Event done_;
};

}  // namespace incipit
