#include "transport/wire/key_batch.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"

namespace incipit::wire {
namespace {

constexpr size_t kDepthBytes = sizeof(uint32_t);
constexpr size_t kMinKeyEntryBytes = kDepthBytes + 1;

// What all keys of a run share.
struct RunKind {
  uint16_t group = 0;
  uint16_t part = 0;
  uint16_t key_bytes = 0;
  friend bool operator==(const RunKind&, const RunKind&) = default;
};

RunKind KindOf(const KeyRef& key) {
  // A longer key is over the limit anyway; it only must not wrap around to a short one.
  const size_t key_bytes = std::min<size_t>(key.key.size(), std::numeric_limits<uint16_t>::max());
  return {key.group, key.part, static_cast<uint16_t>(key_bytes)};
}

void EncodeRun(RunKind kind, std::span<const KeyRef> keys, std::vector<uint8_t>* out) {
  ByteWriter writer(out);
  writer.Write(kind.group);
  writer.Write(kind.part);
  writer.Write(kind.key_bytes);
  writer.Write(static_cast<uint32_t>(keys.size()));
  const size_t start = out->size();
  out->resize(start + keys.size() * (kDepthBytes + kind.key_bytes));
  uint8_t* at = out->data() + start;
  for (const KeyRef& key : keys) {
    std::memcpy(at, &key.depth_tokens, kDepthBytes);
    if (kind.key_bytes != 0) std::memcpy(at + kDepthBytes, key.key.data(), kind.key_bytes);
    at += kDepthBytes + kind.key_bytes;
  }
}

void AppendRun(RunKind kind, ByteView entries, KeyBatch* keys) {
  const size_t entry_bytes = kDepthBytes + kind.key_bytes;
  for (; !entries.empty(); entries = entries.subspan(entry_bytes)) {
    KeyRef& key = keys->emplace_back();
    key.group = kind.group;
    key.part = kind.part;
    std::memcpy(&key.depth_tokens, entries.data(), kDepthBytes);
    key.key = entries.subspan(kDepthBytes, kind.key_bytes);
  }
}

}  // namespace

void EncodeKeyBatch(std::span<const KeyRef> keys, std::vector<uint8_t>* out) {
  ByteWriter(out).Write(static_cast<uint32_t>(std::min<size_t>(keys.size(), std::numeric_limits<uint32_t>::max())));
  while (!keys.empty()) {
    const RunKind kind = KindOf(keys.front());
    size_t run_keys = 1;
    while (run_keys < keys.size() && KindOf(keys[run_keys]) == kind) ++run_keys;
    EncodeRun(kind, keys.first(run_keys), out);
    keys = keys.subspan(run_keys);
  }
}

void DecodeKeyBatch(MetaReader* reader, KeyBatch* keys) {
  keys->clear();
  const auto key_count = reader->Read<uint32_t>("keys");
  if (!reader->ok()) return;
  if (key_count == 0) return reader->Fail("keys", "empty batch: name at least one key");
  if (key_count > kMaxBatchKeys) {
    return reader->Fail("keys", absl::StrCat(key_count, " keys, over the limit of ", kMaxBatchKeys,
                                             " in one message: split the batch"));
  }
  if (key_count > reader->remaining() / kMinKeyEntryBytes) {
    return reader->Fail(
        "keys", absl::StrCat("truncated: ", key_count, " keys announced, ", reader->remaining(), " bytes are left"));
  }
  keys->reserve(key_count);
  RunKind before;  // key_bytes 0 fits no run
  while (keys->size() < key_count) {
    RunKind kind;
    kind.group = reader->Read<uint16_t>("keys.group");
    kind.part = reader->Read<uint16_t>("keys.part");
    kind.key_bytes = reader->ReadIn<uint16_t>("keys.key_bytes", 1, kMaxKeyBytes);
    const auto missing = static_cast<uint32_t>(key_count - keys->size());
    const auto run_keys = reader->ReadCount<uint32_t>(
        "keys.run_keys", {.min = 1, .max = missing, .entry_bytes = kDepthBytes + kind.key_bytes, .what = "keys"});
    if (reader->ok() && kind == before) {
      reader->Fail("keys", "a run with the group, part and key length of the run before it: join them");
    }
    if (!reader->ok()) return;
    AppendRun(kind, reader->ReadBytes("keys.run_keys", run_keys * (kDepthBytes + kind.key_bytes)), keys);
    before = kind;
  }
}

}  // namespace incipit::wire
