// Splits the keys of a call into one request or several per shard.
#pragma once

#include <cstdint>
#include <vector>

#include "client/src/core/call_context.h"

namespace incipit {

// One request: keys, and where the answer to each belongs.
struct KeyBatchOfShard {
  uint32_t shard = 0;  // in ShardSet::connections
  uint8_t rank = 0;    // of the shard's node, for every key
  wire::KeyBatch keys;
  std::vector<uint32_t> slots;
};

// Routes keys to shards, of the nodes at one rank, and cuts batches at the shard's limit. Holds views of the keys. One
// call, one thread.
class KeyBatcher {
 public:
  // `expected_keys`, over all shards, only saves memory moves.
  KeyBatcher(const CallContext* context, const ShardSet* shards, size_t expected_keys, uint8_t rank = 0);

  // Adds part `part` of a block.
  void Add(const wire::KeyRef& key, uint32_t slot);
  // Adds all parts of a block.
  void AddParts(GroupIndex group, uint32_t depth_tokens, ByteView key, uint32_t slot);
  std::vector<KeyBatchOfShard> Take();

 private:
  void Close(uint32_t shard);

  const CallContext* context_;
  const ShardSet* shards_;
  uint8_t rank_;
  size_t expected_keys_per_shard_;
  std::vector<KeyBatchOfShard> open_;  // by shard
  std::vector<KeyBatchOfShard> closed_;
};

// The most keys that `shard` takes in one message; the protocol's limit while it has not said.
size_t MaxBatchKeys(const ShardSet* shards, uint32_t shard);

// Where a part of a block lives; its copies at the ranks behind 0.
uint32_t ShardOfPart(const CallContext* context, const ShardSet* shards, GroupIndex group, uint16_t part, ByteView key,
                     size_t rank = 0);

// InvalidArgument naming `what` and `index` if the group is unknown or the key's length is not 1 to kMaxKeyBytes.
absl::Status CheckKey(const Layout& layout, GroupIndex group, ByteView key, const char* what, size_t index);

}  // namespace incipit
