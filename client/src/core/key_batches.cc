#include "client/src/core/key_batches.h"

#include <fmt/format.h>

#include <utility>

namespace incipit {

absl::Status CheckKey(const Layout& layout, GroupIndex group, ByteView key, const char* what, size_t index) {
  if (group >= layout.groups.size()) {
    return absl::InvalidArgumentError(
        fmt::format("{} {}: group {}, the layout has {} groups", what, index, group, layout.groups.size()));
  }
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        fmt::format("{} {}: key of {} bytes, allowed are 1 to {}", what, index, key.size(), kMaxKeyBytes));
  }
  return absl::OkStatus();
}

uint32_t ShardOfPart(const CallContext* context, const ShardSet* shards, GroupIndex group, uint16_t part, ByteView key,
                     size_t rank) {
  return shards->ShardOf(context->framed_namespace, group, part, key, rank);
}

size_t MaxBatchKeys(const ShardSet* shards, uint32_t shard) {
  const ShardConnection& connection = *shards->connections[shard];
  return connection.session_number() == 0 ? wire::kMaxBatchKeys : connection.hello().max_batch_keys;
}

KeyBatcher::KeyBatcher(const CallContext* context, const ShardSet* shards, size_t expected_keys, uint8_t rank)
    : context_(context), shards_(shards), rank_(rank), open_(shards->connections.size()) {
  const size_t share = expected_keys / open_.size();
  expected_keys_per_shard_ = open_.size() == 1 ? share : share + share / 8 + 16;
  for (size_t shard = 0; shard < open_.size(); ++shard) open_[shard].shard = static_cast<uint32_t>(shard);
}

void KeyBatcher::Add(const wire::KeyRef& key, uint32_t slot) {
  const uint32_t shard = ShardOfPart(context_, shards_, key.group, key.part, key.key, rank_);
  KeyBatchOfShard& batch = open_[shard];
  if (batch.keys.empty()) {
    const size_t expected = std::min(expected_keys_per_shard_, MaxBatchKeys(shards_, shard));
    batch.keys.reserve(expected);
    batch.slots.reserve(expected);
  }
  batch.keys.push_back(key);
  batch.slots.push_back(slot);
  if (batch.keys.size() >= MaxBatchKeys(shards_, shard)) Close(shard);
}

void KeyBatcher::AddParts(GroupIndex group, uint32_t depth_tokens, ByteView key, uint32_t slot) {
  const uint32_t parts = context_->layout().groups[group].PartCount();
  for (uint32_t part = 0; part < parts; ++part) {
    Add({.group = group, .part = static_cast<uint16_t>(part), .depth_tokens = depth_tokens, .key = key}, slot);
  }
}

void KeyBatcher::Close(uint32_t shard) {
  open_[shard].rank = rank_;
  closed_.push_back(std::move(open_[shard]));
  open_[shard] = {};
  open_[shard].shard = shard;
}

std::vector<KeyBatchOfShard> KeyBatcher::Take() {
  for (size_t shard = 0; shard < open_.size(); ++shard) {
    if (!open_[shard].keys.empty()) Close(static_cast<uint32_t>(shard));
  }
  return std::move(closed_);
}

}  // namespace incipit
