#include "transport/wire/activity_messages.h"

#include <algorithm>

#include "cache/base/byte_writer.h"
#include "transport/wire/meta_reader.h"
#include "transport/wire/meta_text.h"
#include "transport/wire/stats_values.h"

namespace incipit::wire {
namespace {

constexpr size_t kMinNamespaceBytes = 3 * sizeof(uint16_t) + 5 * sizeof(uint64_t);
constexpr size_t kHottestBytes = 3 * sizeof(uint32_t) + kKeyStartBytes + sizeof(uint8_t) + 2 * sizeof(uint64_t);

ActiveNamespace ReadNamespace(MetaReader* reader) {
  ActiveNamespace one;
  one.tenant = reader->ReadText("namespaces.tenant", 0, kMaxNameBytes);
  one.model = reader->ReadText("namespaces.model", 0, kMaxNameBytes);
  one.layout = reader->ReadText("namespaces.layout", 0, kMaxNameBytes);
  one.blocks = reader->Read<uint64_t>("namespaces.blocks");
  one.stored_bytes = reader->Read<uint64_t>("namespaces.stored_bytes");
  one.match_keys = reader->Read<uint64_t>("namespaces.match_keys");
  one.match_hits = reader->Read<uint64_t>("namespaces.match_hits");
  one.load_bytes = reader->Read<uint64_t>("namespaces.load_bytes");
  return one;
}

HottestBlock ReadHottest(MetaReader* reader, uint32_t namespaces) {
  HottestBlock block;
  block.name_space = reader->Read<uint32_t>("hottest.namespace");
  if (reader->ok() && block.name_space >= namespaces) reader->Fail("hottest.namespace", "is none of those listed");
  const ByteView key = reader->ReadBytes("hottest.key_start", kKeyStartBytes);
  std::copy(key.begin(), key.end(), block.key_start.begin());
  block.depth_tokens = reader->Read<uint32_t>("hottest.depth_tokens");
  block.block_tokens = reader->Read<uint32_t>("hottest.block_tokens");
  block.copies = reader->Read<uint8_t>("hottest.copies");
  block.stamp_ns = reader->Read<uint64_t>("hottest.stamp_ns");
  block.bytes_per_s = reader->Read<uint64_t>("hottest.bytes_per_s");
  return block;
}

}  // namespace

void StatsRequest::Encode(std::vector<uint8_t>* out) const {
  if (activity) ByteWriter(out).Write(uint8_t{1});
}

absl::StatusOr<StatsRequest> StatsRequest::Decode(ByteView meta) {
  StatsRequest message;
  if (meta.empty()) return message;
  MetaReader reader("Stats", meta);
  message.activity = reader.ReadIn<uint8_t>("what", 1, 1) == 1;
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void Activity::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(static_cast<uint32_t>(namespaces.size()));
  for (const ActiveNamespace& one : namespaces) {
    for (const std::string* text : {&one.tenant, &one.model, &one.layout})
      writer.WriteText(CutText(*text, kMaxNameBytes));
    for (const uint64_t number : {one.blocks, one.stored_bytes, one.match_keys, one.match_hits, one.load_bytes}) {
      writer.Write(number);
    }
  }
  writer.Write(static_cast<uint32_t>(hottest.size()));
  for (const HottestBlock& block : hottest) {
    writer.Write(block.name_space);
    writer.WriteBytes(block.key_start);
    writer.Write(block.depth_tokens);
    writer.Write(block.block_tokens);
    writer.Write(block.copies);
    writer.Write(block.stamp_ns);
    writer.Write(block.bytes_per_s);
  }
}

void DetailedStats::Encode(std::vector<uint8_t>* out) const {
  StatsReply{values}.Encode(out);
  activity.Encode(out);
}

absl::StatusOr<DetailedStats> DetailedStats::Decode(ByteView meta) {
  MetaReader reader("StatsReply", meta);
  DetailedStats reply;
  reply.values = ReadStatsValues(&reader);
  const auto namespaces = reader.ReadCount<uint32_t>(
      "namespaces", {.max = kMaxActiveNamespaces, .entry_bytes = kMinNamespaceBytes, .what = "namespaces"});
  for (uint32_t i = 0; i < namespaces && reader.ok(); ++i) {
    reply.activity.namespaces.push_back(ReadNamespace(&reader));
  }
  const auto hottest =
      reader.ReadCount<uint32_t>("hottest", {.max = kMaxHottestBlocks, .entry_bytes = kHottestBytes, .what = "blocks"});
  for (uint32_t i = 0; i < hottest && reader.ok(); ++i) {
    reply.activity.hottest.push_back(ReadHottest(&reader, namespaces));
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

}  // namespace incipit::wire
