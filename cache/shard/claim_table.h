// Single flight: who computes which missing block, and who waits for it. docs/decisions/010-claims.md.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "cache/shard/block_store.h"
#include "cache/shard/shard_options.h"
#include "transport/wire/claim_messages.h"

namespace incipit {

// Hears of the blocks it watches. Called inside the change: it must only take note, and not call the table.
class BlockWatcher {
 public:
  virtual ~BlockWatcher() = default;
  // `index` is the watcher's own number of the block. After kRam or kNvme it hears no more of that block.
  virtual void OnState(uint32_t index, wire::BlockState state) = 0;
};

// In blocks, but for `waits`.
struct ClaimCounters {
  uint64_t granted = 0;   // each ends in one of the next three
  uint64_t landed = 0;    // became visible, whoever stored it
  uint64_t released = 0;  // by its holder
  uint64_t lapsed = 0;    // not renewed, or its holder's session ended
  uint64_t refused = 0;   // over a limit
  uint64_t waits = 0, waits_refused = 0;
};

// One thread: the shard's. At most one claim on a block, and none on one that is visible: the store tells when a block
// becomes so. Blocks are told apart by whole identities. Cost: a hash lookup for each key claimed, watched or landed,
// a notice for each watcher of a block that changes; about 150 bytes a block and 16 a watcher of it.
class ClaimTable : public BlockListener {
 public:
  explicit ClaimTable(const ShardLimits& limits) : limits_(limits), index_(0, Hasher{&slots_}, Equal{&slots_}) {}

  struct Granted {
    uint64_t claim_id = 0;  // 0: no key was free
    uint32_t claim_ms = 0;
    uint32_t computing_ms = 0;  // age of the claim on the first key that is another's
  };
  // Claims for `session` the keys whose state is kFree, and makes their states kClaimed, kComputing, or leaves kFree
  // those that are over a limit. Others, in `states` by key, are present and passed over. `hashes` are
  // BlockStore::HashOf the keys.
  Granted Claim(uint64_t session, NamespaceId name_space, const wire::KeyBatch& keys, std::span<const Hash128> hashes,
                uint32_t claim_ms, int64_t now_ns, std::vector<wire::BlockState>* states);
  // What is granted from now on; 0 if the claim is over, unknown or another session's.
  uint32_t Renew(uint64_t session, uint64_t claim_id, uint32_t claim_ms, int64_t now_ns);
  void Release(uint64_t session, uint64_t claim_id);
  void EndSession(uint64_t session);
  void LapseExpired(int64_t now_ns);
  int64_t NextExpiryNs() const;  // kForeverNs if there is no claim

  // False if `keys` more are over a limit. Otherwise they are counted until Unwatch with the same number.
  bool AdmitWatcher(uint64_t session, size_t keys);
  // The state of a block that is not present, and a notice of each change of it from now on. The table keeps the
  // pointer until the block lands or Unwatch.
  wire::BlockState Watch(BlockWatcher* watcher, uint32_t index, NamespaceId name_space, const wire::KeyRef& key,
                         const Hash128& hash, std::vector<uint32_t>* slots);
  // Ends all that Watch noted in `slots`.
  void Unwatch(BlockWatcher* watcher, uint64_t session, size_t keys, std::span<const uint32_t> slots);

  void OnVisible(const Entry& entry, wire::Presence presence) override;

  const ClaimCounters& counters() const { return counters_; }
  uint64_t claimed_blocks() const { return claimed_blocks_; }
  uint64_t watched_keys() const { return watched_keys_; }
  size_t blocks() const { return index_.size(); }

 private:
  struct Probe {
    uint64_t hash;
    NamespaceId name_space;
    GroupIndex group;
    uint16_t part;
    ByteView key;
  };
  struct Watching {
    BlockWatcher* watcher;
    uint32_t index;
  };
  // A block that is claimed, watched, or both.
  struct Slot {
    uint64_t hash = 0;
    NamespaceId name_space = 0;
    GroupIndex group = 0;
    uint16_t part = 0;
    absl::InlinedVector<uint8_t, 32> key;
    uint64_t claim_id = 0;  // 0: free
    std::vector<Watching> watchers;
  };
  struct Claimed {
    uint64_t session = 0;
    int64_t since_ns = 0, expires_ns = 0;
    std::vector<uint32_t> slots;  // those that landed may be others' by now: their claim_id tells
    size_t left = 0;              // of them
  };
  struct Hasher {
    using is_transparent = void;
    const std::deque<Slot>* slots;
    size_t operator()(const Probe& probe) const { return probe.hash; }
    size_t operator()(uint32_t slot) const { return (*slots)[slot].hash; }
  };
  struct Equal {
    using is_transparent = void;
    const std::deque<Slot>* slots;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t slot, const Probe& probe) const { return IsBlock((*slots)[slot], probe); }
    bool operator()(const Probe& probe, uint32_t slot) const { return IsBlock((*slots)[slot], probe); }
  };
  using Claims = absl::flat_hash_map<uint64_t, Claimed>;

  static bool IsBlock(const Slot& slot, const Probe& probe);
  uint32_t SlotOf(const Probe& probe);  // made if it is not there
  void FreeIfUnused(uint32_t slot);
  void Notify(const Slot& slot, wire::BlockState state) const;
  Claims::iterator Find(uint64_t session, uint64_t claim_id);
  void End(Claims::iterator claim, uint64_t* counter);
  void Forget(Claims::iterator claim);
  bool MayClaim(uint64_t session) const;
  void CountClaimed(uint64_t session, int64_t change);

  ShardLimits limits_;
  std::deque<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  absl::flat_hash_set<uint32_t, Hasher, Equal> index_;
  Claims claims_;
  absl::btree_set<std::pair<int64_t, uint64_t>> by_expiry_;
  absl::btree_set<std::pair<uint64_t, uint64_t>> by_session_;
  absl::flat_hash_map<uint64_t, uint64_t> claimed_of_session_, watched_of_session_;
  uint64_t claimed_blocks_ = 0, watched_keys_ = 0;
  uint64_t next_id_ = 1;
  ClaimCounters counters_;
};

}  // namespace incipit
