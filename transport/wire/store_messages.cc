// Store. Its reply is a StatusReply.
#include <algorithm>

#include "cache/base/byte_writer.h"
#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"
#include "transport/wire/segment_table.h"

namespace incipit::wire {
namespace {

constexpr size_t kBlockFixedBytes = 13;

void EncodeBlock(const StoredBlock& block, std::vector<uint8_t>* out) {
  // A key that long is refused by the peer; only its length must not wrap around.
  const ByteView key = block.key.key.first(std::min<size_t>(block.key.key.size(), UINT16_MAX));
  ByteWriter writer(out);
  writer.Write(block.key.group);
  writer.Write(block.key.part);
  writer.Write(block.key.depth_tokens);
  writer.Write(static_cast<uint8_t>(block.codec));
  writer.Write(SegmentCount(block.segments));
  writer.Write(static_cast<uint16_t>(key.size()));
  writer.WriteBytes(key);
  EncodeSegmentSizes(block.segments, out);
}

void DecodeBlock(MetaReader* reader, StoredBlock* block, uint64_t* payload_bytes) {
  block->key.group = reader->Read<uint16_t>("blocks.group");
  block->key.part = reader->Read<uint16_t>("blocks.part");
  block->key.depth_tokens = reader->Read<uint32_t>("blocks.depth_tokens");
  block->codec = reader->ReadEnum("blocks.codec", kLastCodec);
  const auto segment_count = reader->ReadCount<uint16_t>(
      "blocks.segment_count", {.min = 1, .max = kMaxSegments, .entry_bytes = kSegmentSizesBytes, .what = "segments"});
  const auto key_bytes =
      reader->ReadCount<uint16_t>("blocks.key_bytes", {.min = 1, .max = kMaxKeyBytes, .what = "bytes"});
  block->key.key = reader->ReadBytes("blocks.key", key_bytes);
  if (!reader->ok()) return;
  DecodeSegmentSizes(reader, segment_count, segment_count * kSegmentChecksumBytes, &block->segments, payload_bytes);
}

}  // namespace

void Store::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(stamp_ns);
  writer.Write(static_cast<uint32_t>(blocks.size()));
  for (const StoredBlock& block : blocks) EncodeBlock(block, out);
}

absl::StatusOr<Store> Store::Decode(ByteView meta) {
  MetaReader reader("Store", meta);
  Store store;
  store.namespace_id = reader.Read<uint32_t>("namespace_id");
  store.stamp_ns = reader.Read<uint64_t>("stamp_ns");
  const auto count = reader.ReadCount<uint32_t>(
      "blocks", {.max = kMaxBatchKeys, .entry_bytes = kBlockFixedBytes, .what = "blocks", .advice = "split the batch"});
  if (count == 0) reader.Fail("blocks", "empty batch: store at least one block");
  store.blocks.reserve(count);
  uint64_t payload_bytes = 0;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    DecodeBlock(&reader, &store.blocks.emplace_back(), &payload_bytes);
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return store;
}

uint64_t Store::PayloadBytes() const {
  uint64_t bytes = 0;
  for (const StoredBlock& block : blocks) {
    bytes += StoredBytesOf(block.segments) + block.segments.size() * kSegmentChecksumBytes;
  }
  return bytes;
}

}  // namespace incipit::wire
