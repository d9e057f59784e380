// Load and LoadReply.
#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"
#include "transport/wire/key_batch.h"
#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"
#include "transport/wire/segment_table.h"

namespace incipit::wire {
namespace {

constexpr size_t kBlockFixedBytes = 9;

bool IsLoadStatus(BlockStatus status) {
  return status != BlockStatus::kPresent && status != BlockStatus::kConflict && status != BlockStatus::kWanted;
}

void EncodeBlock(const LoadedBlock& block, std::vector<uint8_t>* out) {
  ByteWriter writer(out);
  writer.Write(block.index);
  writer.Write(static_cast<uint8_t>(block.status));
  writer.Write(static_cast<uint8_t>(block.tier));
  writer.Write(static_cast<uint8_t>(block.codec));
  writer.Write(SegmentCount(block.segments));
  EncodeSegments(block.segments, out);
}

void DecodeBlock(MetaReader* reader, LoadedBlock* block, uint64_t* payload_bytes) {
  block->index = reader->ReadIn<uint32_t>("blocks.index", 0, kMaxBatchKeys - 1);
  block->status = reader->ReadEnum("blocks.status", kLastBlockStatus);
  block->tier = reader->ReadEnum("blocks.tier", Presence::kNvme);
  block->codec = reader->ReadEnum("blocks.codec", kLastCodec);
  const auto segment_count = reader->ReadCount<uint16_t>(
      "blocks.segment_count", {.max = kMaxSegments, .entry_bytes = kSegmentEntryBytes, .what = "segments"});
  if (!reader->ok()) return;
  if (!IsLoadStatus(block->status)) {
    return reader->Fail("blocks.status",
                        absl::StrCat("is ", static_cast<int>(block->status), ", which only answers stores and offers"));
  }
  if (block->status == BlockStatus::kOk && block->tier == Presence::kMiss) {
    return reader->Fail("blocks.tier", "is 0 (none) for a block that was found");
  }
  if (block->status != BlockStatus::kOk && segment_count != 0) {
    return reader->Fail("blocks.segment_count",
                        absl::StrCat("is ", segment_count, " for a block of status ", static_cast<int>(block->status),
                                     ", only status 0 (ok) has segments"));
  }
  DecodeSegments(reader, segment_count, &block->segments, payload_bytes);
}

}  // namespace

void Load::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(stamp_ns);
  writer.Write(deadline_ms);
  writer.Write(first_segment);
  writer.Write(segment_count);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Load> Load::Decode(ByteView meta) {
  MetaReader reader("Load", meta);
  Load load;
  load.namespace_id = reader.Read<uint32_t>("namespace_id");
  load.stamp_ns = reader.Read<uint64_t>("stamp_ns");
  load.deadline_ms = reader.Read<uint32_t>("deadline_ms");
  load.first_segment = reader.ReadIn<uint16_t>("first_segment", 0, kMaxSegments - 1);
  load.segment_count = reader.Read<uint16_t>("segment_count");
  if (reader.ok() && load.segment_count != kAllSegments &&
      (load.segment_count == 0 || load.segment_count > kMaxSegments)) {
    reader.Fail("segment_count", absl::StrCat("is ", load.segment_count, ", allowed are 1 to ", kMaxSegments, " and ",
                                              kAllSegments, " (all)"));
  }
  DecodeKeyBatch(&reader, &load.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return load;
}

void LoadReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter(out).Write(static_cast<uint32_t>(blocks.size()));
  for (const LoadedBlock& block : blocks) EncodeBlock(block, out);
}

absl::StatusOr<LoadReply> LoadReply::Decode(ByteView meta) {
  MetaReader reader("LoadReply", meta);
  LoadReply reply;
  const auto count =
      reader.ReadCount<uint32_t>("blocks", {.max = kMaxBatchKeys, .entry_bytes = kBlockFixedBytes, .what = "blocks"});
  reply.blocks.reserve(count);
  uint64_t payload_bytes = 0;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    DecodeBlock(&reader, &reply.blocks.emplace_back(), &payload_bytes);
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

uint64_t LoadReply::PayloadBytes() const {
  uint64_t bytes = 0;
  for (const LoadedBlock& block : blocks) bytes += StoredBytesOf(block.segments);
  return bytes;
}

}  // namespace incipit::wire
