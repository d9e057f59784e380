#include "transport/wire/map_messages.h"

#include "cache/base/byte_writer.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

void GetMap::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(known_epoch);
  writer.Write(wait_ms);
}

absl::StatusOr<GetMap> GetMap::Decode(ByteView meta) {
  MetaReader reader("GetMap", meta);
  GetMap message;
  message.known_epoch = reader.Read<uint64_t>("known_epoch");
  message.wait_ms = reader.ReadIn<uint32_t>("wait_ms", 0, kMaxMapWaitMs);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void MapReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(epoch);
  writer.Write(static_cast<uint32_t>(map.size()));
  writer.WriteBytes(AsBytes(map));
}

absl::StatusOr<MapReply> MapReply::Decode(ByteView meta) {
  MetaReader reader("MapReply", meta);
  MapReply message;
  message.epoch = reader.Read<uint64_t>("epoch");
  const auto bytes = reader.ReadCount<uint32_t>("map_bytes", {.max = kMaxMapBytes, .what = "bytes"});
  message.map = AsText(reader.ReadBytes("map", bytes));
  if (reader.ok() && message.epoch == 0 && !message.map.empty()) reader.Fail("epoch", "is 0, yet there is a map");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

}  // namespace incipit::wire
