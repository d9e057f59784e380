#include "client/src/core/store_coder.h"

#include <algorithm>
#include <utility>

#include "cache/base/check.h"
#include "cache/base/xxh3.h"
#include "client/src/codec/coding_options.h"

namespace incipit {

bool StoreCoder::Part::shrank() const {
  return !failed && static_cast<double>(BytesOf(pieces)) * kMinCodedRatio <= static_cast<double>(raw_bytes);
}

Codec StoreCoder::StoredCodec(const CodecOptions& options, bool sealed) {
  return sealed ? SealedOf(CodecOf(options.coding)) : CodecOf(options.coding);
}

uint64_t StoreCoder::MaxStoredBytes(const CodecOptions& options, bool sealed, uint64_t segment_bytes) {
  return StoredRangeOf(StoredCodec(options, sealed), segment_bytes).most;
}

StoreCoder::StoreCoder(Loop* loop, CodingWorkers* workers, BufferPool::Buffer buffer, SealerPool* sealers)
    : workers_(workers), sealers_(sealers), buffer_(std::move(buffer)), room_(buffer_.bytes()), done_(loop) {}

StoreCoder::~StoreCoder() { INCIPIT_CHECK(outstanding_ == 0, "a store ended while it was being coded"); }

void StoreCoder::AddPart(const CodecOptions& options, PieceCursor bytes, uint32_t segment_count, uint64_t segment_bytes,
                         ByteView identity) {
  const auto most = static_cast<uint32_t>(std::max<uint64_t>(workers_->grain().job_bytes / segment_bytes, 1));
  const uint64_t most_stored = MaxStoredBytes(options, sealers_ != nullptr, segment_bytes);
  INCIPIT_CHECK(segment_count * most_stored <= room_.size(), "the sending buffer is too small for what is coded");
  parts_.push_back({.raw_bytes = segment_count * segment_bytes, .room = room_.first(segment_count * most_stored)});
  for (uint32_t first = 0; first < segment_count; first += most) {
    Job& job = jobs_.emplace_back();
    job.part = parts_.size() - 1;
    job.sealers = sealers_;
    job.identity.assign(identity.begin(), identity.end());
    job.first_segment = first;
    job.options = options;
    job.at = bytes;
    job.segment_count = std::min(most, segment_count - first);
    job.segment_bytes = segment_bytes;
    job.room = room_.first(job.segment_count * most_stored);
    room_ = room_.subspan(job.room.size());
    bytes.Skip(job.segment_count * segment_bytes);
  }
}

void StoreCoder::Job::Run(PieceCoder* coder) {
  std::vector<iovec> raw;
  segments.reserve(segment_count);
  SealerPool::Loan sealer;
  if (sealers != nullptr) sealer = sealers->Take();
  for (uint32_t i = 0; i < segment_count; ++i) {
    raw.clear();
    at.Take(segment_bytes, &raw);
    const MutableBytes left = room.subspan(stored_bytes);
    const SegmentPlace place{identity, static_cast<uint16_t>(first_segment + i)};
    const uint64_t bytes = sealer == nullptr ? coder->Encode(options, raw, left)
                                             : coder->EncodeSealed(options, sealer.get(), place, raw, left);
    failed |= bytes == 0;
    segments.push_back({static_cast<uint32_t>(bytes), static_cast<uint32_t>(segment_bytes), Xxh3Of(left.first(bytes))});
    stored_bytes += bytes;
  }
}

Task<void> StoreCoder::Run() {
  outstanding_ = jobs_.size();
  for (Job& job : jobs_) {
    workers_->Start([&job](PieceCoder* coder) { job.Run(coder); },
                    [this] {
                      if (--outstanding_ == 0) done_.Set();
                    });
  }
  while (outstanding_ > 0) co_await done_.Wait();
  Finish();
}

void StoreCoder::Finish() {
  for (Job& job : jobs_) {
    Part& part = parts_[job.part];
    part.segments.insert(part.segments.end(), job.segments.begin(), job.segments.end());
    part.pieces.push_back({job.room.data(), job.stored_bytes});
    part.failed |= job.failed;
  }
}

}  // namespace incipit
