#include "transport/wire/claim_messages.h"

#include <limits>

#include "transport/wire/answers.h"
#include "transport/wire/key_batch.h"

namespace incipit::wire {
namespace {

constexpr uint32_t kNoLimit = std::numeric_limits<uint32_t>::max();
constexpr size_t kStateRunBytes = 9;

StateRun ReadRun(MetaReader* reader) {
  StateRun run;
  run.first = reader->ReadIn<uint32_t>("runs.first", 0, kMaxBatchKeys - 1);
  run.keys = reader->ReadIn<uint32_t>("runs.run_keys", 1, kMaxBatchKeys - run.first);
  run.state = reader->ReadEnum("runs.state", kLastBlockState);
  if (reader->ok() && run.state == BlockState::kClaimed) {
    reader->Fail("runs.state", "is 3 (claimed), which a wait never gives");
  }
  return run;
}

}  // namespace

void Claim::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(claim_ms);
  writer.Write(claim_id);
  if (claim_id == 0) EncodeKeyBatch(keys, out);
}

absl::StatusOr<Claim> Claim::Decode(ByteView meta) {
  MetaReader reader("Claim", meta);
  Claim claim;
  claim.namespace_id = reader.Read<uint32_t>("namespace_id");
  claim.claim_ms = reader.ReadIn<uint32_t>("claim_ms", 1, kNoLimit);
  claim.claim_id = reader.Read<uint64_t>("claim_id");
  if (reader.ok() && claim.claim_id == 0) DecodeKeyBatch(&reader, &claim.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return claim;
}

void ClaimReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(claim_id);
  writer.Write(claim_ms);
  writer.Write(computing_ms);
  EncodeAnswers(states, out);
}

absl::StatusOr<ClaimReply> ClaimReply::Decode(ByteView meta) {
  MetaReader reader("ClaimReply", meta);
  ClaimReply reply;
  reply.claim_id = reader.Read<uint64_t>("claim_id");
  reply.claim_ms = reader.Read<uint32_t>("claim_ms");
  reply.computing_ms = reader.Read<uint32_t>("computing_ms");
  DecodeAnswers(&reader, "states", kLastBlockState, &reply.states, 0);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void Wait::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(namespace_id);
  writer.Write(deadline_ms);
  EncodeKeyBatch(keys, out);
}

absl::StatusOr<Wait> Wait::Decode(ByteView meta) {
  MetaReader reader("Wait", meta);
  Wait wait;
  wait.namespace_id = reader.Read<uint32_t>("namespace_id");
  wait.deadline_ms = reader.ReadIn<uint32_t>("deadline_ms", 1, kNoLimit);
  DecodeKeyBatch(&reader, &wait.keys);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return wait;
}

void WaitReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(wait_id);
  writer.Write(static_cast<uint32_t>(runs.size()));
  for (const StateRun& run : runs) {
    writer.Write(run.first);
    writer.Write(run.keys);
    writer.Write(static_cast<uint8_t>(run.state));
  }
}

absl::StatusOr<WaitReply> WaitReply::Decode(ByteView meta) {
  MetaReader reader("WaitReply", meta);
  WaitReply reply;
  reply.wait_id = reader.Read<uint64_t>("wait_id");
  const auto count = reader.ReadCount<uint32_t>(
      "runs", {.min = 0, .max = kMaxBatchKeys, .entry_bytes = kStateRunBytes, .what = "runs"});
  reply.runs.reserve(count);
  for (uint32_t i = 0; i < count && reader.ok(); ++i) reply.runs.push_back(ReadRun(&reader));
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

}  // namespace incipit::wire
