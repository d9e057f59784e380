// One well-formed value of each format, with every field set to something telling. Shared by unit tests, golden files
// and fuzz seeds: change a value here and the golden files no longer match.
#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "cache/base/xxh3.h"
#include "cache/format/identity.h"
#include "cache/format/layout.h"
#include "cache/format/record.h"
#include "cache/format/region.h"

namespace incipit::samples {

// first, first + 1, ...
inline std::vector<uint8_t> CountingBytes(size_t count, uint8_t first = 0) {
  std::vector<uint8_t> bytes(count);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

inline Layout SampleLayout() {
  Layout layout;
  layout.name = "sample";
  layout.groups.push_back(
      {.name = "latent", .rule = HitRule::kAll, .block_tokens = 64, .layers = 3, .bytes_per_entry = 1152});
  layout.groups.push_back({.name = "window",
                           .rule = HitRule::kWindow,
                           .window_tokens = 128,
                           .block_tokens = 32,
                           .layers = 2,
                           .tokens_per_entry = 2,
                           .bytes_per_entry = 584,
                           .layer_align_bytes = 576,
                           .segments = 4});
  layout.groups.push_back(
      {.name = "state", .rule = HitRule::kCheckpoint, .block_tokens = 64, .layers = 2, .bytes_per_entry = 4096});
  return layout;
}

inline NamespaceIdentity SampleNamespace() {
  NamespaceIdentity name_space{.tenant = "acme", .model = "deepseek-v3"};
  const auto fingerprint = CountingBytes(32, 0xa0);
  std::copy(fingerprint.begin(), fingerprint.end(), name_space.layout_fingerprint.begin());
  return name_space;
}

inline std::vector<uint8_t> SampleIdentity(GroupIndex group = 1, uint16_t part = 2, size_t key_bytes = 32) {
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed =
      FrameIdentity(FrameNamespace(SampleNamespace()), group, part, CountingBytes(key_bytes, 1), &buffer);
  return {framed.begin(), framed.end()};
}

inline RecordHeader SampleRecord() {
  RecordHeader header;
  header.depth_tokens = 4096;
  header.stamp_ns = 1'700'000'000'000'000'000;
  header.writer_id = 0x1122334455667788;
  header.sequence = 42;
  header.region_generation = 7;
  header.identity = SampleIdentity();
  for (uint32_t i = 0; i < 3; ++i) header.segments.push_back({1000 + i, 1000 + i, Xxh3Of(CountingBytes(1000 + i))});
  return header;
}

inline std::array<uint8_t, 16> SampleStoreId() {
  std::array<uint8_t, 16> store_id;
  std::iota(store_id.begin(), store_id.end(), uint8_t{0xc0});
  return store_id;
}

inline Superblock SampleSuperblock() {
  return {.store_id = SampleStoreId(),
          .shard = 2,
          .shard_count = 4,
          .region_bytes = 1 << 20,
          .region_count = 80,
          .created_unix_ns = 1'700'000'000'000'000'000};
}

inline RegionHeader SampleRegionHeader() { return {.store_id = SampleStoreId(), .region = 17, .generation = 7}; }

// Three records of a region of 1 MiB: a block, a tombstone, a block.
inline std::vector<TocEntry> SampleToc() {
  std::vector<TocEntry> entries;
  uint32_t offset = kDiskPageBytes;
  for (uint32_t i = 0; i < 3; ++i) {
    TocEntry entry;
    entry.offset = offset;
    entry.identity = SampleIdentity(static_cast<GroupIndex>(i), 0, 16 + 7 * i);
    const bool tombstone = i == 1;
    entry.kind = tombstone ? RecordKind::kTombstone : RecordKind::kBlock;
    entry.segment_count = tombstone ? 0 : static_cast<uint16_t>(i + 2);
    entry.header_bytes = RecordHeader::HeaderBytesFor(entry.identity.size(), entry.segment_count);
    entry.stored_bytes = entry.raw_bytes = tombstone ? 0 : 57'000 + i;
    entry.depth_tokens = 64 * i;
    entry.stamp_ns = 1'700'000'000'000'000'000 + i;
    entry.sequence = 40 + i;
    offset = static_cast<uint32_t>(AlignUp(offset + entry.RecordBytes(), kRecordAlign));
    entries.push_back(entry);
  }
  return entries;
}

inline RegionFooter SampleRegionFooter() {
  const auto toc = EncodeToc(SampleToc());
  return {.store_id = SampleStoreId(),
          .region = 17,
          .generation = 7,
          .toc_offset = 128 * kKiB,
          .toc_bytes = toc.size(),
          .entry_count = 3,
          .max_sequence = 42,
          .toc_checksum = Xxh3Of(toc)};
}

// Renews the checksum of a page after a field was changed on purpose, so that the check behind it is reached.
inline void RepairPage(std::vector<uint8_t>* page) {
  if (page->size() < kDiskPageBytes) return;
  std::fill_n(page->begin() + 8, 8, uint8_t{0});
  const uint64_t checksum = Xxh3Of(ByteView(*page).first(kDiskPageBytes));
  std::memcpy(page->data() + 8, &checksum, sizeof(checksum));
}

// The same for a record header, over as many bytes as its length field says, if they are there.
inline void RepairRecordHeader(std::vector<uint8_t>* header) {
  uint32_t header_bytes = 0;
  if (header->size() < kRecordFixedBytes) return;
  std::memcpy(&header_bytes, header->data() + 8, sizeof(header_bytes));
  if (header_bytes < kRecordFixedBytes || header_bytes > header->size()) return;
  std::fill_n(header->begin() + 80, 8, uint8_t{0});
  const uint64_t checksum = Xxh3Of(ByteView(*header).first(header_bytes));
  std::memcpy(header->data() + 80, &checksum, sizeof(checksum));
}

template <typename T>
void SetField(std::vector<uint8_t>* bytes, size_t at, T value) {
  std::memcpy(bytes->data() + at, &value, sizeof(T));
}

}  // namespace incipit::samples
