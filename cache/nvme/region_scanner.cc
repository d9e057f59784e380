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

Task<void> RegionScanner::Run(ScanResult* result) {
  bool more = true;
  while (more) more = co_await ScanRecord(result);
}

Task<bool> RegionScanner::ScanRecord(ScanResult* result) {
  if (offset_ >= records_end_ || records_end_ - offset_ < kRecordFixedBytes) co_return false;
  const ByteView bytes = co_await FetchWhole(offset_, kMaxRecordHeaderBytes, result);
  if (bytes.empty()) co_return false;
  absl::StatusOr<RecordHeader> header = DecodeRecordHeader(bytes);
  if (!header.ok() || header->region_generation != generation_ || header->sequence == 0) co_return false;
  const uint64_t record_bytes = header->HeaderBytes() + header->StoredBytes();
  if (record_bytes > records_end_ - offset_) co_return false;
  const bool whole = co_await PayloadIsWhole(&*header, result);
  if (!whole) {
    result->damaged = result->status.ok();
    co_return false;
  }
  TocEntry entry = EntryOf(*std::move(header), offset_);
  result->entries.push_back(std::move(entry));
  offset_ += AlignUp(record_bytes, kRecordAlign);
  result->end = offset_;
  co_return true;
}

Task<bool> RegionScanner::PayloadIsWhole(const RecordHeader* header, ScanResult* result) {
  uint64_t at = offset_ + header->HeaderBytes();
  for (const Segment& segment : header->segments) {
    Xxh3Stream checksum;
    uint64_t left = segment.stored_bytes;
    while (left > 0) {
      const ByteView bytes = co_await Fetch(at, left, result);
      if (bytes.empty()) co_return false;
      checksum.Update(bytes);
      at += bytes.size();
      left -= bytes.size();
    }
    if (checksum.Digest() != segment.checksum) co_return false;
  }
  co_return true;
}

Task<ByteView> RegionScanner::Fetch(uint64_t offset, uint64_t most, ScanResult* result) {
  if (offset < window_start_ || offset >= window_end_) {
    result->status = co_await Fill(AlignDown(offset, kDiskPageBytes));
    if (!result->status.ok()) co_return ByteView{};
  }
  const uint64_t count = std::min(most, window_end_ - offset);
  co_return ByteView(buffer_->bytes().subspan(offset - window_start_, count));
}

Task<ByteView> RegionScanner::FetchWhole(uint64_t offset, uint64_t bytes, ScanResult* result) {
  bytes = std::min(bytes, records_end_ - offset);
  if (offset >= window_start_ && offset < window_end_ && window_end_ - offset < bytes) window_end_ = window_start_;
  const ByteView got = co_await Fetch(offset, bytes, result);
  co_return got;
}

Task<absl::Status> RegionScanner::Fill(uint64_t start) {
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
