// Hello, HelloReply, OpenNamespace, OpenNamespaceReply, Release, StatsReply, Error.
#include "absl/strings/str_cat.h"
#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"
#include "transport/wire/meta_text.h"
#include "transport/wire/stats_values.h"

namespace incipit::wire {

void Hello::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(min_version);
  writer.Write(max_version);
  writer.Write(shard);
  writer.Write(features);
  writer.Write(client_id);
  WriteTextCut(&writer, tenant);
  WriteTextCut(&writer, client_name);
}

absl::StatusOr<Hello> Hello::Decode(ByteView meta) {
  MetaReader reader("Hello", meta);
  Hello hello;
  hello.min_version = reader.ReadIn<uint16_t>("min_version", 1, UINT16_MAX);
  hello.max_version = reader.ReadIn<uint16_t>("max_version", hello.min_version, UINT16_MAX);
  hello.shard = reader.Read<uint16_t>("shard");
  hello.features = reader.Read<uint64_t>("features");
  hello.client_id = reader.Read<uint64_t>("client_id");
  hello.tenant = reader.ReadText("tenant", 1, kMaxNameBytes);
  hello.client_name = reader.ReadText("client_name", 0, kMaxNameBytes);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return hello;
}

void HelloReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(version);
  writer.Write(shard);
  writer.Write(shard_count);
  writer.Write(features);
  writer.Write(node_id);
  writer.Write(incarnation);
  writer.WriteBytes(placement_seed);
  writer.Write(max_batch_keys);
  writer.Write(max_inflight_requests);
  writer.Write(max_frame_payload_bytes);
  WriteTextCut(&writer, node_name);
}

absl::StatusOr<HelloReply> HelloReply::Decode(ByteView meta) {
  MetaReader reader("HelloReply", meta);
  HelloReply reply;
  reply.version = reader.ReadIn<uint16_t>("version", 1, UINT16_MAX);
  reply.shard = reader.Read<uint16_t>("shard");
  reply.shard_count = reader.ReadIn<uint16_t>("shard_count", 1, UINT16_MAX);
  if (reader.ok() && reply.shard >= reply.shard_count) {
    reader.Fail("shard", absl::StrCat("is ", reply.shard, " of a node with ", reply.shard_count, " shards"));
  }
  reply.features = reader.Read<uint64_t>("features");
  reply.node_id = reader.Read<uint64_t>("node_id");
  reply.incarnation = reader.Read<uint64_t>("incarnation");
  const ByteView seed = reader.ReadBytes("placement_seed", reply.placement_seed.size());
  if (reader.ok()) std::memcpy(reply.placement_seed.data(), seed.data(), seed.size());
  reply.max_batch_keys = reader.ReadIn<uint32_t>("max_batch_keys", 1, kMaxBatchKeys);
  reply.max_inflight_requests = reader.Read<uint32_t>("max_inflight_requests");
  reply.max_frame_payload_bytes = reader.ReadIn<uint64_t>("max_frame_payload_bytes", 1, kMaxFramePayloadBytes);
  reply.node_name = reader.ReadText("node_name", 0, kMaxNameBytes);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void OpenNamespace::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  WriteTextCut(&writer, model);
  writer.Write(static_cast<uint32_t>(layout.size()));
  writer.WriteBytes(layout);
}

absl::StatusOr<OpenNamespace> OpenNamespace::Decode(ByteView meta) {
  MetaReader reader("OpenNamespace", meta);
  OpenNamespace open;
  open.model = reader.ReadText("model", 1, kMaxNameBytes);
  const auto layout_bytes = reader.ReadCount<uint32_t>("layout", {.min = 1, .max = kMaxLayoutBytes, .what = "bytes"});
  const ByteView layout = reader.ReadBytes("layout", layout_bytes);
  open.layout.assign(layout.begin(), layout.end());
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return open;
}

void OpenNamespaceReply::Encode(std::vector<uint8_t>* out) const { ByteWriter(out).Write(namespace_id); }

absl::StatusOr<OpenNamespaceReply> OpenNamespaceReply::Decode(ByteView meta) {
  MetaReader reader("OpenNamespaceReply", meta);
  OpenNamespaceReply reply;
  reply.namespace_id = reader.Read<uint32_t>("namespace_id");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void Release::Encode(std::vector<uint8_t>* out) const { ByteWriter(out).Write(id); }

absl::StatusOr<Release> Release::Decode(ByteView meta) {
  MetaReader reader("Release", meta);
  Release release;
  release.id = reader.Read<uint64_t>("id");
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return release;
}

void StatsReply::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(static_cast<uint32_t>(values.size()));
  for (const auto& [name, value] : values) {
    WriteTextCut(&writer, name);
    writer.Write(value);
  }
}

absl::StatusOr<StatsReply> StatsReply::Decode(ByteView meta) {
  MetaReader reader("StatsReply", meta);
  StatsReply reply;
  reply.values = ReadStatsValues(&reader);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return reply;
}

void Error::Encode(std::vector<uint8_t>* out) const {
  ByteWriter writer(out);
  writer.Write(static_cast<uint16_t>(code));
  writer.Write(retry_after_us);
  writer.WriteText(CutText(message, kMaxErrorMessageBytes));
}

absl::StatusOr<Error> Error::Decode(ByteView meta) {
  MetaReader reader("Error", meta);
  Error error;
  constexpr auto kFirst = static_cast<uint16_t>(absl::StatusCode::kCancelled);
  constexpr auto kLast = static_cast<uint16_t>(absl::StatusCode::kUnauthenticated);
  static_assert(kFirst == 1 && kLast == 16);
  error.code = static_cast<absl::StatusCode>(reader.ReadIn<uint16_t>("code", kFirst, kLast));
  error.retry_after_us = reader.Read<uint32_t>("retry_after_us");
  error.message = reader.ReadText("message", 0, kMaxErrorMessageBytes);
  if (absl::Status status = reader.Finish(); !status.ok()) return status;
  return error;
}

}  // namespace incipit::wire
