// Which block goes next. Pure: no I/O, no clock, no knowledge of tiers; the shard tells it what happened and asks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "cache/base/types.h"
#include "eviction/cost_model.h"

namespace incipit {

// Why the engine ended its answer, as far as it said.
enum class EndReason : uint8_t { kUnknown, kStop, kToolCall, kLength };

// What a policy may know of one touch of a block. All but the first three may be left out.
struct Access {
  uint64_t stamp_ns = 0;      // request stamp: the same for every block that one request touches
  uint32_t depth_tokens = 0;  // position of the block's first token in its prompt
  uint32_t bytes = 0;         // space the block takes
  uint32_t turn = 0;          // of the conversation, from 1; 0 = not known
  uint64_t key = 0;           // hash of the block's identity: history of evicted blocks goes by it; 0 = not known
  uint32_t output_tokens = 0;
  EndReason end_reason = EndReason::kUnknown;
  // Of the model that the block belongs to, for policies that value depth; null = the policy's own. Outlives the
  // policy.
  const CostModel* cost = nullptr;
};

// What the engine expects of a held block. Times are on the clock of the stamps.
struct Hint {
  uint64_t next_use_ns = 0;  // a request that waits or is announced will touch the block then; 0 = not known
  uint64_t expires_ns = 0;   // worthless from then on; 0 = never
};

// Knows the keys of blocks, so that policies which rank the same blocks need not keep them all.
class KeySource {
 public:
  virtual ~KeySource() = default;
  // Access::key at its insertion; the same until after its removal.
  virtual uint64_t KeyOf(BlockId id) const = 0;
};

// Owned by one tier of one shard; that shard's thread only. BlockIds are dense and reused after OnRemove, so
// implementations keep arrays indexed by them. No call fails; none allocates except to grow with the highest id.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string_view name() const = 0;

  // REQUIRES: `id` is not held. Stamps may arrive out of order.
  virtual void OnInsert(BlockId id, const Access& access) = 0;
  // REQUIRES: `id` is held. A touch with an older stamp than the last one changes nothing.
  virtual void OnAccess(BlockId id, const Access& access) = 0;
  // The engine says what it expects. REQUIRES: `id` is held. Policies that cannot use it ignore it.
  virtual void OnHint(BlockId /*id*/, const Hint& /*hint*/) {}
  // Before the first insertion: where it may look up keys instead of keeping them. `keys` outlives the policy.
  virtual void UseKeysOf(const KeySource* /*keys*/) {}
  // What the tier holds, in blocks, and how many evicted blocks may be remembered, both at least 1: learned as it
  // fills, and told again when they change. Policies that need neither ignore it.
  virtual void SetCapacity(size_t /*blocks*/, size_t /*ghosts*/) {}
  // A hint that OnAccess of `id` comes within some tens of calls: hides the cache miss. Any id.
  virtual void Prefetch(BlockId /*id*/) const {}
  // Evicted, removed or moved to another tier. REQUIRES: `id` is held.
  virtual void OnRemove(BlockId id) = 0;

  // The block to evict first among those that `evictable` accepts; kNoBlock if none was found among the
  // `max_candidates` lowest valued. Does not remove it. `evictable` is cheap and has no side effects.
  virtual BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) = 0;

  // True if `a` should be kept rather than `b`. Both held.
  virtual bool Outranks(BlockId a, BlockId b) const = 0;
  // Stamp of the last touch. REQUIRES: `id` is held.
  virtual uint64_t StampOf(BlockId id) const = 0;
  virtual size_t size() const = 0;
  // Memory that the policy takes, nearly exact. Cheap.
  virtual uint64_t MemoryBytes() const = 0;
};

// Leaf-first LRU: oldest request stamp first, and within one request the deepest block first, so that the cached set
// stays closed under prefixes without anybody knowing the tree.
std::unique_ptr<Policy> MakeLeafFirstLru();

}  // namespace incipit
