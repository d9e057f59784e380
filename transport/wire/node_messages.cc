#include "transport/wire/node_messages.h"

#include "cache/base/byte_writer.h"
#include "transport/wire/meta_reader.h"
#include "transport/wire/meta_text.h"

namespace incipit::wire {
namespace {

constexpr const char* kStateNames[] = {"none", "moving", "left", "cancelled", "failed"};

bool ReadBool(MetaReader* reader, const char* field) { return reader->ReadIn<uint8_t>(field, 0, 1) != 0; }

DrainCount ReadCounts(MetaReader* reader, const char* blocks, const char* bytes) {
  DrainCount count;
  count.blocks = reader->Read<uint64_t>(blocks);
  count.bytes = reader->Read<uint64_t>(bytes);
  return count;
}

}  // namespace

const char* DrainStateName(DrainState state) { return kStateNames[static_cast<size_t>(state)]; }

void Peer::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(node_id);
  writer.Write(epoch);
}

absl::StatusOr<Peer> Peer::Decode(ByteView meta) {
  MetaReader reader("Peer", meta);
  Peer message;
  message.node_id = reader.Read<uint64_t>("node_id");
  message.epoch = reader.Read<uint64_t>("epoch");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void PeerReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(epoch);
}

absl::StatusOr<PeerReply> PeerReply::Decode(ByteView meta) {
  MetaReader reader("PeerReply", meta);
  PeerReply message;
  message.epoch = reader.Read<uint64_t>("epoch");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void Drain::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(static_cast<uint8_t>(action));
  writer.Write(static_cast<uint8_t>(exit ? 1 : 0));
  writer.Write(timeout_ms);
  writer.Write(bytes_per_s);
}

absl::StatusOr<Drain> Drain::Decode(ByteView meta) {
  MetaReader reader("Drain", meta);
  Drain message;
  message.action = reader.ReadEnum("action", kLastDrainAction);
  message.exit = ReadBool(&reader, "exit");
  message.timeout_ms = reader.ReadIn<uint32_t>("timeout_ms", 0, kMaxDrainTimeoutMs);
  message.bytes_per_s = reader.Read<uint64_t>("bytes_per_s");
  const bool begins = message.action == DrainAction::kBegin;
  if (reader.ok() && begins && message.timeout_ms == 0) reader.Fail("timeout_ms", "is 0, a drain needs an end");
  if (reader.ok() && !begins && (message.exit || message.timeout_ms != 0 || message.bytes_per_s != 0)) {
    reader.Fail("action", "does not begin a drain, yet there is more than 0 behind it");
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void DrainReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(static_cast<uint8_t>(state));
  writer.Write(static_cast<uint8_t>(timed_out ? 1 : 0));
  writer.Write(elapsed_ms);
  for (const DrainCount* count :
       {&progress.total, &progress.moved, &progress.present, &progress.unwanted, &progress.lost}) {
    writer.Write(count->blocks);
    writer.Write(count->bytes);
  }
  writer.WriteText(CutText(message, kMaxDrainMessageBytes));
}

absl::StatusOr<DrainReply> DrainReply::Decode(ByteView meta) {
  MetaReader reader("DrainReply", meta);
  DrainReply message;
  message.state = reader.ReadEnum("state", kLastDrainState);
  message.timed_out = ReadBool(&reader, "timed_out");
  message.elapsed_ms = reader.Read<uint32_t>("elapsed_ms");
  message.progress.total = ReadCounts(&reader, "total_blocks", "total_bytes");
  message.progress.moved = ReadCounts(&reader, "moved_blocks", "moved_bytes");
  message.progress.present = ReadCounts(&reader, "present_blocks", "present_bytes");
  message.progress.unwanted = ReadCounts(&reader, "unwanted_blocks", "unwanted_bytes");
  message.progress.lost = ReadCounts(&reader, "lost_blocks", "lost_bytes");
  message.message = std::string(reader.ReadText("message", 0, kMaxDrainMessageBytes));
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

}  // namespace incipit::wire
