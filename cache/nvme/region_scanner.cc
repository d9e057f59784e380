#include "cache/nvme/region_scanner.h"

#include <algorithm>
#include <utility>

#include "cache/base/xxh3.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {
namespace {

constexpr int kReadTries = 3;

TocEntry EntryOf(RecordHeader header, uint64_t offset) {
  TocEntry entry;
  entry.offset = static_cast<uint32_t>(offset);
  entry.header_bytes = header.HeaderBytes();
  entry.stored_bytes = static_cast<uint32_t>(header.StoredBytes());
  entry.raw_bytes = static_cast<uint32_t>(header.RawBytes());
  entry.segment_count = static_cast<uint16_t>(header.segments.size());
  entry.kind = header.kind;
  entry.codec = header.codec;
  entry.depth_tokens = header.depth_tokens;
  entry.stamp_ns = header.stamp_ns;
  entry.sequence = header.sequence;
  entry.identity = std::move(header.identity);
  return entry;
}

}  // namespace

RegionScanner::RegionScanner(Device* device, RegionTable* table, uint32_t region, uint64_t generation)
    : device_(device),
      region_start_(RegionStart(region, table->region_bytes())),
      records_end_(table->region_bytes() - kDiskPageBytes),
      generation_(generation),
      buffer_(std::make_shared<PinnedBuffer>(std::min(kWindowBytes, table->region_bytes()), table, region)) {}

bool RegionScanner::InWindow(uint64_t offset, uint64_t bytes) const {
  bytes = std::min(bytes, records_end_ - offset);
  return offset >= window_start_ && offset < window_end_ && bytes <= window_end_ - offset;
}

ByteView RegionScanner::Window(uint64_t offset, uint64_t most) const {
  return buffer_->bytes().subspan(offset - window_start_, std::min(most, window_end_ - offset));
}

absl::StatusOr<RecordHeader> RegionScanner::DecodeHere() const {
  absl::StatusOr<RecordHeader> header = DecodeRecordHeader(Window(offset_, kMaxRecordHeaderBytes));
  if (!header.ok()) return header;
  if (header->region_generation != generation_ || header->sequence == 0) {
    return absl::DataLossError("a record of an earlier life of the region");
  }
  if (header->HeaderBytes() + header->StoredBytes() > records_end_ - offset_) {
    return absl::DataLossError("a record that does not fit the region");
  }
  return header;
}

// One coroutine for all records: it suspends only to read, so that a region of many small ones takes no stack.
Task<void> RegionScanner::Run(ScanResult* result) {
  Xxh3Stream checksum;
  while (offset_ < records_end_ && records_end_ - offset_ >= kRecordFixedBytes) {
    if (!InWindow(offset_, kMaxRecordHeaderBytes)) result->status = co_await Fill(offset_);
    if (!result->status.ok()) co_return;
    absl::StatusOr<RecordHeader> header = DecodeHere();
    if (!header.ok()) co_return;
    uint64_t at = offset_ + header->HeaderBytes();
    for (const Segment& segment : header->segments) {
      checksum.Reset();
      for (uint64_t left = segment.stored_bytes; left > 0;) {
        if (!InWindow(at, 1)) result->status = co_await Fill(at);
        if (!result->status.ok()) co_return;
        const ByteView bytes = Window(at, left);
        checksum.Update(bytes);
        at += bytes.size();
        left -= bytes.size();
      }
      if (checksum.Digest() == segment.checksum) continue;
      result->damaged = true;
      co_return;
    }
    result->entries.push_back(EntryOf(*std::move(header), offset_));
    offset_ = AlignUp(at, kRecordAlign);
    result->end = offset_;
  }
}

Task<absl::Status> RegionScanner::Fill(uint64_t offset) {
  const uint64_t start = AlignDown(offset, kDiskPageBytes);
  const uint64_t bytes = std::min<uint64_t>(buffer_->bytes().size(), records_end_ - start);
  window_start_ = window_end_ = 0;
  absl::Status status;
  for (int i = 0; i < kReadTries; ++i) {
    DeviceOpRef read = device_->StartRead(region_start_ + start, buffer_->bytes().first(bytes), buffer_);
    co_await read->done.Wait();
    status = read->status;
    if (absl::IsDeadlineExceeded(status)) break;  // the buffer still belongs to that read
    if (status.ok()) {
      window_start_ = start;
      window_end_ = start + bytes;
      break;
    }
  }
  co_return status;
}

}  // namespace incipit
