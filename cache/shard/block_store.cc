// Entries of the block store: lookup, admission, reading, and how a block ends.
#include "cache/shard/block_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/defence.h"
#include "cache/base/status_macros.h"
#include "cache/shard/recovery_state.h"

namespace incipit {

StoreTicket::~StoreTicket() {
  if (store_ != nullptr) store_->Doom(id_);
}

RamReadGuard::RamReadGuard(BlockStore* store, BlockId id) : store_(store), id_(id) {
  ++store_->entries_.At(id).readers;
}
RamReadGuard::~RamReadGuard() {
  if (store_ == nullptr) return;
  --store_->entries_.At(id_).readers;
  store_->FreeIfUnused(id_);
}

BlockStore::BlockStore(Loop* loop, Random* random, const BlockStoreOptions& options,
                       const PartitionedPolicy::Maker& make_ram, const PartitionedPolicy::Maker& make_all)
    : loop_(loop),
      options_(options),
      index_(&entries_, options.index_hash_bits),
      ram_policy_(make_ram),
      all_policy_(make_all),
      write_budget_(options.nvme_write_bytes_per_day, loop->NowNs()),
      space_freed_(loop),
      tasks_(loop) {
  random->Fill(secret_);
}

BlockStore::~BlockStore() = default;

Task<absl::StatusOr<std::unique_ptr<BlockStore>>> BlockStore::Open(Loop* loop, Random* random, Disk* disk,
                                                                   BlockStoreOptions options, NvmeOptions nvme) {
  const uint64_t seed = random->Next();
  const absl::StatusOr<PartitionedPolicy::Maker> make_ram = MakerOf(options, seed, options.ram_peers);
  if (!make_ram.ok()) co_return make_ram.status();
  const absl::StatusOr<PartitionedPolicy::Maker> make_all = MakerOf(options, ~seed, options.all_peers);
  if (!make_all.ok()) co_return make_all.status();
  std::unique_ptr<BlockStore> store(new BlockStore(loop, random, options, *make_ram, *make_all));
  ArenaOptions arena_options;
  arena_options.bytes = options.ram_bytes;
  arena_options.huge_pages = options.huge_pages;
  arena_options.touch = options.touch_ram;
  absl::StatusOr<std::unique_ptr<Arena>> arena = Arena::Create(arena_options);
  if (!arena.ok()) co_return arena.status();
  store->arena_ = *std::move(arena);
  if (disk != nullptr) {
    Task<absl::StatusOr<std::unique_ptr<NvmeTier>>> opening =
        NvmeTier::Open(loop, disk, random, static_cast<NvmeTier::Host*>(store.get()), nvme);
    absl::StatusOr<std::unique_ptr<NvmeTier>> tier = co_await opening;
    if (!tier.ok()) co_return tier.status();
    store->nvme_ = *std::move(tier);
  }
  co_return store;
}

Task<absl::Status> BlockStore::Shutdown(int64_t deadline_ns) {
  shutting_down_ = true;
  backups_.clear();
  space_freed_.Set();
  co_await tasks_.Join();
  if (nvme_ == nullptr) co_return absl::OkStatus();
  Task<absl::Status> stopping = nvme_->Shutdown(deadline_ns);
  co_return co_await stopping;
}

Hash128 BlockStore::HashOf(NamespaceId name_space, const wire::KeyRef& key) const {
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed = FrameIdentity(namespaces_.At(name_space).framed, key.group, key.part, key.key, &buffer);
  return index_.Trim(IdentityHash(framed, secret_));
}

bool BlockStore::Matches(const Entry& entry, NamespaceId name_space, const wire::KeyRef& key) const {
  return entry.namespace_id == name_space && entry.group == key.group && entry.part == key.part &&
         entry.key.size() == key.key.size() && std::memcmp(entry.key.data(), key.key.data(), key.key.size()) == 0;
}

BlockId BlockStore::Find(const Hash128& hash, NamespaceId name_space, const wire::KeyRef& key) {
  const BlockId id = index_.Probe(hash);
  if (id == kNoBlock) return kNoBlock;
  if (!INCIPIT_DEFENDED(kIdentity) || Matches(entries_.At(id), name_space, key)) return id;
  ++counters_.index_collisions;
  return kNoBlock;
}

std::vector<uint8_t> BlockStore::FramedIdentity(const Entry& entry) const {
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed =
      FrameIdentity(namespaces_.At(entry.namespace_id).framed, entry.group, entry.part, entry.key, &buffer);
  return {framed.begin(), framed.end()};
}

wire::Presence BlockStore::PresenceOf(BlockId id) const {
  const Entry& entry = entries_.At(id);
  if (entry.in_ram) return wire::Presence::kRam;
  return entry.nvme.valid() && NvmeServes() ? wire::Presence::kNvme : wire::Presence::kMiss;
}

void BlockStore::Pin(BlockId id) { ++entries_.At(id).pins; }

void BlockStore::Unpin(BlockId id) {
  --entries_.At(id).pins;
  FreeIfUnused(id);
  if (space_freed_.is_set()) return;
  NoteSpaceFreed();  // What was pinned may now give way.
}

Task<absl::StatusOr<StoreTicket>> BlockStore::Reserve(const NewBlock* block, int64_t deadline_ns) {
  RecordHeader header;
  header.codec = block->codec;
  header.depth_tokens = block->key.depth_tokens;
  header.stamp_ns = block->stamp_ns;
  header.writer_id = block->writer_id;
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed = FrameIdentity(namespaces_.At(block->name_space).framed, block->key.group, block->key.part,
                                        block->key.key, &buffer);
  header.identity.assign(framed.begin(), framed.end());
  header.segments.assign(block->segments.begin(), block->segments.end());
  const uint64_t record_bytes = header.HeaderBytes() + header.StoredBytes();
  const TenantIndex owner = OwnerOf(block->name_space);
  Task<absl::Status> charging = ChargeRam(owner, Arena::AllocatedBytesFor(record_bytes), deadline_ns);
  CO_RETURN_IF_ERROR(co_await charging);
  Task<bool> making = MakeRoom(record_bytes, deadline_ns);
  const bool room = co_await making;
  absl::StatusOr<ExtentList> extents = absl::ResourceExhaustedError("");
  if (room) extents = arena_->Allocate(record_bytes);
  if (!extents.ok()) {
    ++counters_.store_refused_no_room;
    usages_[owner].ram_bytes -= Arena::AllocatedBytesFor(record_bytes);
    co_return absl::ResourceExhaustedError(absl::StrCat("no RAM for a record of ", record_bytes, " bytes in time; ",
                                                        arena_->FreeBytes(), " bytes are free"));
  }
  const BlockId id = entries_.Allocate();
  Entry& entry = entries_.At(id);
  entry.hash = index_.Trim(IdentityHash(framed, secret_));
  entry.namespace_id = block->name_space;
  entry.owner = static_cast<uint16_t>(owner);
  entry.group = block->key.group;
  entry.part = block->key.part;
  entry.depth_tokens = block->key.depth_tokens;
  entry.key.assign(block->key.key.begin(), block->key.key.end());
  entry.header_bytes = header.HeaderBytes();
  entry.stored_bytes = static_cast<uint32_t>(header.StoredBytes());
  entry.raw_bytes = static_cast<uint32_t>(header.RawBytes());
  entry.segment_count = static_cast<uint16_t>(header.segments.size());
  entry.codec = block->codec;
  entry.ram = *std::move(extents);
  co_return StoreTicket(this, id, std::move(header));
}

void BlockStore::PayloadPieces(BlockId id, uint64_t offset, uint64_t length, std::vector<iovec>* out) const {
  const Entry& entry = entries_.At(id);
  arena_->Slice(entry.ram, entry.header_bytes + offset, length, out);
}

void BlockStore::WriteHeader(BlockId id, const RecordHeader& header) {
  std::vector<uint8_t> encoded;
  header.Encode(&encoded);
  std::vector<iovec> pieces;
  arena_->Slice(entries_.At(id).ram, 0, encoded.size(), &pieces);
  const uint8_t* from = encoded.data();
  for (const iovec& piece : pieces) {
    std::memcpy(piece.iov_base, from, piece.iov_len);
    from += piece.iov_len;
  }
}

wire::BlockStatus BlockStore::Commit(StoreTicket ticket, std::span<const Segment> segments) {
  const BlockId id = ticket.id_;
  Entry& entry = entries_.At(id);
  const BlockId holder = index_.Probe(entry.hash);
  if (holder != kNoBlock) {  // Somebody was first while this one was being received. The ticket frees the memory.
    const Entry& other = entries_.At(holder);
    const wire::KeyRef key{entry.group, entry.part, entry.depth_tokens, entry.key};
    if (Matches(other, entry.namespace_id, key)) {
      ++counters_.blocks_already_present;
      return wire::BlockStatus::kPresent;
    }
    ++counters_.index_collisions;
    return wire::BlockStatus::kBusy;
  }
  INCIPIT_CHECK(segments.size() == ticket.header_.segments.size(), "commit of other segments than were reserved");
  ticket.header_.segments.assign(segments.begin(), segments.end());
  WriteHeader(id, ticket.header_);
  ticket.store_ = nullptr;
  entry.indexed = true;
  index_.Insert(id);
  ++usages_[entry.owner].blocks;
  namespaces_.CountBlock(entry);
  const uint64_t stamp_ns = ticket.header_.stamp_ns;
  entry.turn = std::max<uint8_t>(1, turns_.Of(stamp_ns));
  EnterRam(id, stamp_ns);
  EnterAll(id, stamp_ns);
  ++counters_.blocks_stored;
  QueueBackup(id);
  if (listener_ != nullptr) listener_->OnVisible(entry, wire::Presence::kRam);
  return wire::BlockStatus::kOk;
}

absl::StatusOr<RecordHeader> BlockStore::RamHeader(BlockId id) const {
  const Entry& entry = entries_.At(id);
  std::vector<iovec> pieces;
  arena_->Slice(entry.ram, 0, entry.header_bytes, &pieces);
  if (pieces.size() == 1) {
    return DecodeRecordHeader({static_cast<const uint8_t*>(pieces[0].iov_base), pieces[0].iov_len});
  }
  std::vector<uint8_t> gathered;
  for (const iovec& piece : pieces) {
    const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
    gathered.insert(gathered.end(), bytes, bytes + piece.iov_len);
  }
  return DecodeRecordHeader(gathered);
}

Task<wire::BlockStatus> BlockStore::CompareWithStored(BlockId id, Codec codec, std::vector<Segment> segments) {
  ++counters_.blocks_already_present;
  // No two sealings are alike, whatever is in them, and coded bytes may differ where the raw ones do not; what is only
  // on the device is not worth a read.
  const bool raw = codec == Codec::kRaw && entries_.At(id).codec == Codec::kRaw;
  if (!raw || !entries_.At(id).in_ram) co_return wire::BlockStatus::kPresent;
  const absl::StatusOr<RecordHeader> header = RamHeader(id);
  if (!header.ok() || header->segments == segments) co_return wire::BlockStatus::kPresent;
  ++counters_.conflicts;
  co_return wire::BlockStatus::kConflict;
}

// Takes a block out of the index and both tiers; its memory follows when nothing uses it any more.
void BlockStore::Doom(BlockId id) {
  Entry& entry = entries_.At(id);
  if (entry.indexed) {
    index_.Erase(id);
    entry.indexed = false;
    --usages_[entry.owner].blocks;
    namespaces_.UncountBlock(entry);
  }
  if (entry.in_ram) LeaveRam(id);
  LeaveAll(id);
  DropNvmeCopy(id);
  FreeIfUnused(id);
}

void BlockStore::DropNvmeCopy(BlockId id) {
  Entry& entry = entries_.At(id);
  if (entry.nvme_only) LeaveNvmeOnly(id);
  if (!entry.nvme.valid()) return;
  MarkSpare(id, false);
  nvme_->Release(std::exchange(entry.nvme, {}), entry.RecordBytes());
}

void BlockStore::MarkSpare(BlockId id, bool spare) {
  Entry& entry = entries_.At(id);
  if (entry.nvme_spare == spare) return;
  entry.nvme_spare = spare;
  nvme_->SetSpare(entry.nvme, entry.RecordBytes(), spare);
}

// Frees what nothing needs: the RAM copy of a block that left RAM, and the slot of one that left the index.
void BlockStore::FreeIfUnused(BlockId id) {
  Entry& entry = entries_.At(id);
  const bool read = INCIPIT_DEFENDED(kExtentReuse) && entry.readers > 0;
  if (!entry.in_ram && !read && !entry.writing) ReleaseRam(id);
  if (!entry.indexed && !entry.InUse()) entries_.Free(id);
}

void BlockStore::ReleaseRam(BlockId id) {
  Entry& entry = entries_.At(id);
  if (entry.ram.empty()) return;
  arena_->Free(entry.ram, entry.RecordBytes());
  usages_[entry.owner].ram_bytes -= Arena::AllocatedBytesFor(entry.RecordBytes());
  entry.ram.clear();
  NoteSpaceFreed();
}

Task<wire::BlockStatus> BlockStore::Remove(NamespaceId name_space, wire::KeyRef key) {
  const BlockId id = Find(name_space, key);
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed = FrameIdentity(namespaces_.At(name_space).framed, key.group, key.part, key.key, &buffer);
  RecordHeader header;
  header.kind = RecordKind::kTombstone;
  header.identity.assign(framed.begin(), framed.end());
  if (recovery_ != nullptr) recovery_->removed.insert(std::string(AsText(framed)));
  if (id != kNoBlock) {
    ++counters_.removed;
    Doom(id);
  }
  const wire::BlockStatus status = id == kNoBlock ? wire::BlockStatus::kMiss : wire::BlockStatus::kOk;
  if (nvme_ == nullptr) co_return status;
  // Written even for a miss: an evicted copy may still lie in a region and would come back at the next start.
  std::vector<uint8_t> encoded;
  header.Encode(&encoded);
  TocEntry entry;
  entry.kind = RecordKind::kTombstone;
  entry.header_bytes = header.HeaderBytes();
  entry.identity = header.identity;
  const iovec piece{encoded.data(), encoded.size()};
  Task<absl::StatusOr<DiskLocation>> appending = nvme_->Append(entry, {&piece, 1});
  const absl::StatusOr<DiskLocation> at = co_await appending;
  co_return at.ok() ? status : wire::BlockStatus::kIoError;
}

StoreGauges BlockStore::gauges() const {
  StoreGauges gauges;
  gauges.blocks = index_.size();
  gauges.blocks_in_ram = ram_policy_.size();
  gauges.blocks_in_nvme_only = nvme_only_blocks_;
  gauges.dirty_blocks = backups_.size();
  gauges.writing_bytes = writing_bytes_;
  gauges.metadata_bytes = entries_.MemoryBytes() + index_.MemoryBytes() + ram_policy_.MemoryBytes() +
                          all_policy_.MemoryBytes() + reuse_curves_.MemoryBytes();
  gauges.namespaces = namespaces_.size();
  gauges.recovered = nvme_ == nullptr || nvme_->stats().state != NvmeState::kRecovering;
  gauges.arena = arena_->stats();
  gauges.has_nvme = nvme_ != nullptr;
  if (nvme_ != nullptr) gauges.nvme = nvme_->stats();
  return gauges;
}

}  // namespace incipit
