// The blocks of one shard, in both tiers: finding, admitting, reading, demoting, promoting, evicting, removing.
// It knows nothing of sessions or frames. One thread: the shard's.
//
// Where a block's bytes are:
//   RAM only            new; NVMe full or absent
//   RAM and NVMe        "spare" copy on NVMe: written behind while there is room, or left there by a promotion.
//                       Reclaim drops spare copies first, so a block held twice never costs another one its place
//   NVMe only           demoted
// RAM gives way in its policy's order: a victim with a spare copy is dropped at once, another is demoted (the one
// waiting for its memory waits for the write), and where NVMe cannot take it, it is evicted. Who leaves NVMe, and
// whether a block is worth a place there, is for a second policy to say, which ranks all blocks wherever they are: so
// the shard keeps what one cache of both sizes would keep, and a move between tiers is no event of its own. A tenant at
// its quota makes room for its stores by its own blocks alone, in the same way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/record.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/ram/arena.h"
#include "cache/runtime/sync.h"
#include "cache/shard/block_index.h"
#include "cache/shard/entry.h"
#include "cache/shard/namespace_table.h"
#include "cache/shard/request_turns.h"
#include "cache/shard/reuse_curves.h"
#include "cache/shard/store_counters.h"
#include "cache/shard/tenant_usage.h"
#include "cache/shard/write_budget.h"
#include "eviction/ghost_table.h"
#include "eviction/partitioned_policy.h"
#include "transport/wire/messages.h"

namespace incipit {

class PolicyPeers;

struct BlockStoreOptions {
  uint64_t ram_bytes = 256 << 20;
  bool huge_pages = true;
  bool touch_ram = true;                       // fault all of it in at the start; not for simulations of many nodes
  int index_hash_bits = 128;                   // fewer only in tests that force collisions
  uint64_t demotion_backlog_bytes = 64 << 20;  // records being written to NVMe at once, at most
  uint64_t nvme_write_bytes_per_day = 0;       // allowance for demotions and write-behind; 0 = no limit
  double free_ram_target = 0.02;               // share of RAM kept free ahead of need by demoting early
  std::string eviction = "lru";                // policy of both tiers: one of PolicyNames() (eviction/policies.h)
  bool eviction_by_flops = false;              // what `auto` strives for: FLOPs saved, by each model's cost, or hits
  size_t max_ghosts = kMaxGhosts;              // evicted blocks that each tier's policy may remember, 100 bytes each
  // Of the node's shards, which learn together; null = alone.
  std::shared_ptr<PolicyPeers> ram_peers, all_peers;
};

class BlockStore;

// Hears of every block that becomes visible, inside the change: it must not call the store.
class BlockListener {
 public:
  virtual ~BlockListener() = default;
  virtual void OnVisible(const Entry& entry, wire::Presence presence) = 0;
};

// Memory for one block that is being received. Ends in BlockStore::Commit or, when dropped, in nothing stored.
class StoreTicket {
 public:
  StoreTicket(StoreTicket&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)), id_(other.id_), header_(std::move(other.header_)) {}
  StoreTicket& operator=(StoreTicket&&) = delete;
  ~StoreTicket();
  BlockId id() const { return id_; }

 private:
  friend class BlockStore;
  StoreTicket(BlockStore* store, BlockId id, RecordHeader header)
      : store_(store), id_(id), header_(std::move(header)) {}
  BlockStore* store_;
  BlockId id_;
  RecordHeader header_;  // its checksums are known when the block has arrived
};

// A RAM copy held still while its bytes are sent. Move-only.
class RamReadGuard {
 public:
  RamReadGuard(BlockStore* store, BlockId id);
  RamReadGuard(RamReadGuard&& other) noexcept : store_(std::exchange(other.store_, nullptr)), id_(other.id_) {}
  RamReadGuard& operator=(RamReadGuard&&) = delete;
  ~RamReadGuard();

 private:
  BlockStore* store_;
  BlockId id_;
};

class BlockStore : private NvmeTier::Host {
 public:
  // `disk` may be null: no NVMe tier. All pointers must outlive the store.
  static Task<absl::StatusOr<std::unique_ptr<BlockStore>>> Open(Loop* loop, Random* random, Disk* disk,
                                                                BlockStoreOptions options, NvmeOptions nvme);
  ~BlockStore() override;  // REQUIRES: Shutdown() ended

  // Scans NVMe; blocks found become hits as it goes. Ends when all are indexed.
  Task<absl::Status> Recover();
  // Ends Recover(), which may wait for a device that is out of service. Before whoever runs it is waited for.
  void StopRecovery() {
    if (nvme_ != nullptr) nvme_->StopRecovery();
  }
  // Writes what is dirty, seals, waits for everything outstanding.
  Task<absl::Status> Shutdown(int64_t deadline_ns);

  NamespaceTable& namespaces() { return namespaces_; }
  // Must outlive the store; at most one.
  void set_listener(BlockListener* listener) { listener_ = listener; }

  // Lookup. Compares the whole identity. kNoBlock: a miss.
  Hash128 HashOf(NamespaceId name_space, const wire::KeyRef& key) const;
  void Prefetch(const Hash128& hash) const { index_.Prefetch(hash); }
  BlockId Find(const Hash128& hash, NamespaceId name_space, const wire::KeyRef& key);
  BlockId Find(NamespaceId name_space, const wire::KeyRef& key) {
    return Find(HashOf(name_space, key), name_space, key);
  }
  wire::Presence PresenceOf(BlockId id) const;
  const Entry& At(BlockId id) const { return entries_.At(id); }
  // A request with `stamp_ns` used the block.
  void Touch(BlockId id, uint64_t stamp_ns);
  // The same of all blocks of the request that are here: which turn of its conversation it is follows from them.
  void TouchAll(std::span<const BlockId> ids, uint64_t stamp_ns);
  // A request asks for these blocks of a namespace, here or not, in the order of its prompt: for the curves of reuse.
  void NoteUses(NamespaceId name_space, std::span<const uint64_t> hashes, uint64_t stamp_ns) {
    reuse_curves_.Use(OwnerOf(name_space), hashes, stamp_ns);
  }
  std::vector<ReuseReport> ReuseReports() const;
  // The engine says what it expects of the block.
  void GiveHint(BlockId id, const Hint& hint);
  // When a request last used it; 0 if that is not known.
  uint64_t StampOf(BlockId id) const;
  // All blocks have ids below it; not all such ids are blocks, and none may be kept over a co_await without a look at
  // its hash.
  BlockId end() const { return entries_.end(); }
  bool IsHere(BlockId id) const { return entries_.At(id).indexed && PresenceOf(id) != wire::Presence::kMiss; }
  // Whether a block last used then would find room without driving out one that was used later.
  bool WouldKeep(uint64_t stamp_ns);
  void Pin(BlockId id);
  void Unpin(BlockId id);

  // Quotas of tenants, by name. Who is not in the list any more keeps what it had. A lower quota than is used takes
  // effect as the tenant stores (SoftQuota), and as others need room. Costs a walk over all blocks if a tenant is new
  // and has blocks already.
  void SetQuotas(const std::vector<TenantQuota>& quotas);
  std::vector<TenantReport> TenantReports() const;
  // For Stats of one tenant; zeros for one that is not listed.
  std::vector<std::pair<std::string, uint64_t>> ValuesOf(const std::string& tenant) const;
  void CountDenied(const std::string& tenant);

  // Storing: reserve memory (waiting for demotions until `deadline_ns` at most), receive into Pieces, commit.
  // ResourceExhausted: no memory in time. FailedPrecondition: larger than the tenant's quota.
  struct NewBlock {
    NamespaceId name_space = 0;
    wire::KeyRef key;
    uint64_t stamp_ns = 0;
    uint64_t writer_id = 0;
    Codec codec = Codec::kRaw;
    std::span<const Segment> segments;  // sizes only
  };
  Task<absl::StatusOr<StoreTicket>> Reserve(const NewBlock* block, int64_t deadline_ns);
  void PayloadPieces(BlockId id, uint64_t offset, uint64_t length, std::vector<iovec>* out) const;
  // `segments` are those of Reserve, with the checksums of what was received. kOk, or kPresent / kConflict if another
  // writer was first, or kBusy on an index collision.
  wire::BlockStatus Commit(StoreTicket ticket, std::span<const Segment> segments);
  // For a block that is already here: kConflict (counted) if both are raw and their segments differ, else kPresent.
  Task<wire::BlockStatus> CompareWithStored(BlockId id, Codec codec, std::vector<Segment> segments);

  // Loading from RAM: the decoded header of a block in RAM. DataLoss if memory was damaged.
  absl::StatusOr<RecordHeader> RamHeader(BlockId id) const;
  // Loading from NVMe: reads, verifies the payload range, promotes a wholly read block where there is room. The
  // block may be gone or moved afterwards. Errors as NvmeTier::Read; a damaged copy is dropped. Part of a coded block
  // costs two reads, one after the other: only the header knows where the part lies.
  struct NvmeRead {
    RecordHeader header;
    StagedRead staged;
  };
  Task<absl::StatusOr<NvmeRead>> ReadNvme(BlockId id, uint32_t first_segment, uint32_t segment_count,
                                          int64_t deadline_ns);

  // True if it was there. With NVMe, ends when the removal will survive a restart.
  Task<wire::BlockStatus> Remove(NamespaceId name_space, wire::KeyRef key);

  const StoreCounters& counters() const { return counters_; }
  StoreCounters& mutable_counters() { return counters_; }
  StoreGauges gauges() const;
  Arena* arena() { return arena_.get(); }
  NvmeTier* nvme() { return nvme_.get(); }
  Loop* loop() { return loop_; }

 private:
  friend class StoreTicket;
  friend class RamReadGuard;
  BlockStore(Loop* loop, Random* random, const BlockStoreOptions& options, const PartitionedPolicy::Maker& make_ram,
             const PartitionedPolicy::Maker& make_all);

  // block_store.cc: entries and their ends.
  bool Matches(const Entry& entry, NamespaceId name_space, const wire::KeyRef& key) const;
  std::vector<uint8_t> FramedIdentity(const Entry& entry) const;
  void Doom(BlockId id);
  void FreeIfUnused(BlockId id);
  void ReleaseRam(BlockId id);
  void DropNvmeCopy(BlockId id);
  void MarkSpare(BlockId id, bool spare);
  void WriteHeader(BlockId id, const RecordHeader& header);
  void NoteSpaceFreed() { space_freed_.Set(); }

  // block_store_policy.cc: what the policies are told.
  static absl::StatusOr<PartitionedPolicy::Maker> MakerOf(const BlockStoreOptions& options, uint64_t seed,
                                                          const std::shared_ptr<PolicyPeers>& peers);
  Access AccessOf(const Entry& entry, uint64_t stamp_ns) const;
  void EnterRam(BlockId id, uint64_t stamp_ns);
  void LeaveRam(BlockId id);
  void EnterAll(BlockId id, uint64_t stamp_ns);
  void LeaveAll(BlockId id);
  void EnterNvmeOnly(BlockId id);
  void LeaveNvmeOnly(BlockId id);
  void TellCapacities();

  // block_store_ram.cc: room in RAM.
  bool MakeRoomNow(uint64_t bytes);
  Task<bool> MakeRoom(uint64_t bytes, int64_t deadline_ns);
  BlockId NextRamVictim() { return RamVictim(nullptr); }
  BlockId RamVictim(const TenantIndex* of_tenant);
  bool EvictOrStartDemotion(BlockId victim, bool may_demote);
  void KeepHeadroom();

  // block_store_quota.cc: what tenants take and may take.
  TenantIndex OwnerOf(NamespaceId name_space) const { return namespaces_.At(name_space).owner; }
  bool OverRamQuota(TenantIndex owner, uint64_t more_bytes, uint64_t soon_free_bytes) const;
  bool OverNvmeQuota(TenantIndex owner, uint64_t more_bytes) const;
  Task<absl::Status> ChargeRam(TenantIndex owner, uint64_t bytes, int64_t deadline_ns);
  bool MakeRamQuotaRoomNow(TenantIndex owner, uint64_t bytes);
  bool MakeNvmeQuotaRoom(BlockId id);
  bool MayStayOnNvme(BlockId id);
  void NoteFoundOnNvme(TenantIndex owner);
  enum class Tier : uint8_t { kRam, kNvme };
  BlockId SurplusVictim(Tier tier, absl::FunctionRef<bool(BlockId)> evictable);
  void Rehome();

  // block_store_nvme.cc: room on NVMe, demotion, write-behind, promotion, reclaim's questions.
  bool NvmeServes() const { return nvme_ != nullptr && nvme_->stats().state != NvmeState::kSuspended; }
  bool MayGiveWayTo(BlockId id, BlockId candidate) const;
  BlockId MakeNvmeRoom(BlockId id);
  bool WorthItsWrite(BlockId id);
  Task<void> WriteToNvme(BlockId id, bool demote);
  void FinishDemotion(BlockId id);
  void QueueBackup(BlockId id);
  void PumpBackups();
  void Promote(BlockId id, const NvmeRead& read);
  // Of a record's payload.
  struct PayloadRange {
    uint64_t offset = 0, length = 0;
  };
  Task<absl::StatusOr<PayloadRange>> LocateCoded(DiskLocation at, uint32_t header_bytes, ByteView identity,
                                                 uint32_t first_segment, uint32_t segment_count, int64_t deadline_ns);
  bool StillValued(ByteView identity, DiskLocation at) override;
  bool OnMoved(ByteView identity, DiskLocation from, DiskLocation to) override;
  void OnDropped(ByteView identity, DiskLocation at) override;
  void OnRegionDropped(uint32_t region) override;
  void LoseNvmeCopy(BlockId id);
  BlockId FindFramed(ByteView identity, DiskLocation at);

  // block_store_recovery.cc
  void OnRecovered(const TocEntry& entry, DiskLocation at) override;
  void OnRecoveryDone() override;
  void AdoptRecovered(const TocEntry& entry, DiskLocation at, const BlockIdentity& identity, const Hash128& hash);

  Loop* loop_;
  BlockStoreOptions options_;
  HashSecret secret_{};
  EntryTable entries_;
  BlockIndex index_;
  NamespaceTable namespaces_;
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<NvmeTier> nvme_;
  PartitionedPolicy ram_policy_, all_policy_;  // of blocks in RAM; with NVMe, of all that are indexed
  RequestTurns turns_;
  ReuseCurves reuse_curves_;
  WriteBudget write_budget_;
  WrittenRequests written_requests_;
  uint64_t samples_ = 0;  // of blocks on NVMe, drawn so far
  uint64_t ram_record_bytes_ = 0, all_record_bytes_ = 0, nvme_only_blocks_ = 0, entries_since_told_ = 0;
  std::vector<TenantUsage> usages_{1};  // by TenantIndex
  bool may_have_surplus_ = false;       // false: no tenant has one
  absl::flat_hash_map<std::string, TenantIndex> listed_;
  StoreCounters counters_;
  BlockListener* listener_ = nullptr;
  Event space_freed_;
  uint64_t writing_bytes_ = 0;    // records being appended
  uint64_t demoting_bytes_ = 0;   // of those, arena bytes that will be free afterwards
  int64_t last_demotion_ns_ = 0;  // when one last ended well
  std::deque<std::pair<BlockId, Hash128>> backups_;
  bool shutting_down_ = false;
  TaskScope tasks_;
  struct Recovery;
  std::unique_ptr<Recovery> recovery_;
};

}  // namespace incipit
