#include "transport/wire/shared_messages.h"

#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

void RegisterRegion::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(region_id);
  writer.Write(static_cast<uint8_t>(kind));
  writer.Write(bytes);
}

absl::StatusOr<RegisterRegion> RegisterRegion::Decode(ByteView meta) {
  MetaReader reader("RegisterRegion", meta);
  RegisterRegion message;
  message.region_id = reader.Read<uint32_t>("region_id");
  message.kind = reader.ReadEnum("kind", RegionKind::kControl);
  message.bytes = reader.ReadIn<uint64_t>("bytes", 1, kMaxRegionBytes);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void ForgetRegion::Encode(std::vector<uint8_t>* out) const { ByteWriter(out).Write(region_id); }

absl::StatusOr<ForgetRegion> ForgetRegion::Decode(ByteView meta) {
  MetaReader reader("ForgetRegion", meta);
  ForgetRegion message;
  message.region_id = reader.Read<uint32_t>("region_id");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return message;
}

void SharedPlaces::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(slot);
  writer.Write(static_cast<uint32_t>(pieces.size()));
  for (const RegionRef& piece : pieces) {
    writer.Write(piece.region_id);
    writer.Write(piece.bytes);
    writer.Write(piece.offset);
  }
}

absl::StatusOr<SharedPlaces> SharedPlaces::Decode(ByteView meta, ByteView* rest) {
  MetaReader reader("SharedPlaces", meta);
  SharedPlaces places;
  places.slot = reader.Read<uint32_t>("slot");
  const auto count = reader.ReadCount<uint32_t>("pieces", {.max = kMaxRegionRefs,
                                                           .entry_bytes = kRegionRefBytes,
                                                           .what = "pieces",
                                                           .advice = "split the batch, or send the bytes inline"});
  places.pieces.reserve(count);
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    RegionRef& piece = places.pieces.emplace_back();
    piece.region_id = reader.Read<uint32_t>("pieces.region_id");
    piece.bytes = reader.Read<uint32_t>("pieces.bytes");
    piece.offset = reader.Read<uint64_t>("pieces.offset");
    if (reader.ok() && piece.bytes == 0) reader.Fail("pieces.bytes", "is 0, at least 1 is needed");
  }
  *rest = reader.ok() ? meta.last(reader.remaining()) : ByteView();
  reader.ReadBytes("message", reader.remaining());
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return places;
}

uint64_t SharedPlaces::Bytes() const {
  uint64_t bytes = 0;
  for (const RegionRef& piece : pieces) bytes += piece.bytes;
  return bytes;
}

}  // namespace incipit::wire
