// Messages that speak of keys but carry no blocks: Match, MatchReply, Offer, Touch, Remove, StatusReply.
#include "cache/base/byte_writer.h"
#include "transport/wire/answers.h"
#include "transport/wire/key_batch.h"
#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {
namespace {

// A byte of MatchReply: the presence, and above it the copies.
constexpr int kCopiesShift = 4;
constexpr uint8_t kPresenceMask = 0xf;

static_assert(sizeof(Presence) == 1 && sizeof(BlockStatus) == 1);

}  // namespace

void Match::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(stamp_ns);
  writer.Write(lease_ms);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Match> Match::Decode(ByteView meta) {
  MetaReader reader("Match", meta);
  Match match;
  match.namespace_id = reader.Read<uint32_t>("namespace_id");
  match.stamp_ns = reader.Read<uint64_t>("stamp_ns");
  match.lease_ms = reader.Read<uint32_t>("lease_ms");
  DecodeKeyBatch(&reader, &match.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return match;
}

void MatchReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(lease_id);
  writer.Write(lease_ms);
  std::vector<uint8_t> answers(presence.size());
  for (size_t i = 0; i < presence.size(); ++i) {
    const uint8_t more = i < copies.size() ? copies[i] : 0;
    answers[i] = static_cast<uint8_t>(static_cast<uint8_t>(presence[i]) | more << kCopiesShift);
  }
  EncodeAnswers(answers, out);
  for (size_t i = 0; i < turns.size(); ++i) {
    if (copies[i] > 0) writer.Write(turns[i]);
  }
}

absl::StatusOr<MatchReply> MatchReply::Decode(ByteView meta) {
  MetaReader reader("MatchReply", meta);
  MatchReply reply;
  reply.lease_id = reader.Read<uint64_t>("lease_id");
  reply.lease_ms = reader.Read<uint32_t>("lease_ms");
  std::vector<uint8_t> answers;
  DecodeAnswers<uint8_t>(&reader, "presence", kMaxHotCopies << kCopiesShift | kPresenceMask, &answers);
  reply.presence.reserve(answers.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    const uint8_t presence = answers[i] & kPresenceMask;
    const auto copies = static_cast<uint8_t>(answers[i] >> kCopiesShift);
    if (presence > static_cast<uint8_t>(Presence::kNvme)) {
      reader.Fail("presence", absl::StrCat("is ", presence, ", allowed are 0 to 2"));
      break;
    }
    reply.presence.push_back(static_cast<Presence>(presence));
    if (copies == 0) continue;
    reply.copies.resize(answers.size());
    reply.copies[i] = copies;
  }
  if (reader.ok() && reader.remaining() > 0) {
    reply.turns.resize(reply.copies.size());
    for (size_t i = 0; i < reply.copies.size(); ++i) {
      if (reply.copies[i] > 0) reply.turns[i] = reader.Read<uint8_t>("turns");
    }
  }
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void Offer::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(stamp_ns);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Offer> Offer::Decode(ByteView meta) {
  MetaReader reader("Offer", meta);
  Offer offer;
  offer.namespace_id = reader.Read<uint32_t>("namespace_id");
  offer.stamp_ns = reader.Read<uint64_t>("stamp_ns");
  DecodeKeyBatch(&reader, &offer.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return offer;
}

void Touch::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(stamp_ns);
  writer.Write(ttl_ms);
  writer.Write(next_use_ms);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Touch> Touch::Decode(ByteView meta) {
  MetaReader reader("Touch", meta);
  Touch touch;
  touch.namespace_id = reader.Read<uint32_t>("namespace_id");
  touch.stamp_ns = reader.Read<uint64_t>("stamp_ns");
  touch.ttl_ms = reader.Read<uint32_t>("ttl_ms");
  touch.next_use_ms = reader.Read<uint32_t>("next_use_ms");
  DecodeKeyBatch(&reader, &touch.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return touch;
}

void Remove::Encode(std::vector<uint8_t>* out) const {
  ByteWriter(out).Write(namespace_id);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Remove> Remove::Decode(ByteView meta) {
  MetaReader reader("Remove", meta);
  Remove remove;
  remove.namespace_id = reader.Read<uint32_t>("namespace_id");
  DecodeKeyBatch(&reader, &remove.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return remove;
}

void StatusReply::Encode(std::vector<uint8_t>* out) const { EncodeAnswers(statuses, out); }

absl::StatusOr<StatusReply> StatusReply::Decode(ByteView meta) {
  MetaReader reader("StatusReply", meta);
  StatusReply reply;
  DecodeAnswers(&reader, "statuses", kLastBlockStatus, &reply.statuses);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

}  // namespace incipit::wire
