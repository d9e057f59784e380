// How blocks found on NVMe at start-up enter the index. Records arrive in any order; the highest sequence counts.
#include "cache/base/status_macros.h"
#include "cache/shard/block_store.h"
#include "cache/shard/recovery_state.h"

namespace incipit {

Task<absl::Status> BlockStore::Recover() {
  if (nvme_ == nullptr) co_return absl::OkStatus();
  recovery_ = std::make_unique<Recovery>();
  Task<absl::Status> scanning = nvme_->Recover();
  co_return co_await scanning;
}

void BlockStore::OnRecovered(const TocEntry& entry, DiskLocation at) {
  const std::string framed(AsText(entry.identity));
  if (entry.kind == RecordKind::kTombstone) {
    uint64_t& newest = recovery_->tombstones[framed];
    newest = std::max(newest, entry.sequence);
    const absl::StatusOr<BlockIdentity> identity = ParseIdentity(entry.identity);
    if (!identity.ok()) return;
    const BlockId id = index_.Probe(index_.Trim(IdentityHash(entry.identity, secret_)));
    if (id == kNoBlock || FramedIdentity(entries_.At(id)) != entry.identity) return;
    const auto adopted = recovery_->sequence_of.find(id);
    if (adopted == recovery_->sequence_of.end() || adopted->second > entry.sequence) return;
    recovery_->sequence_of.erase(adopted);
    // A copy stored anew since the start is in RAM: it is younger than any tombstone on disk.
    if (entries_.At(id).in_ram) return DropNvmeCopy(id);
    Doom(id);
    return;
  }
  const auto tombstone = recovery_->tombstones.find(framed);
  const bool dead = (tombstone != recovery_->tombstones.end() && tombstone->second > entry.sequence) ||
                    recovery_->removed.contains(framed);
  const absl::StatusOr<BlockIdentity> identity = ParseIdentity(entry.identity);
  if (dead || !identity.ok()) return nvme_->Release(at, entry.RecordBytes());
  AdoptRecovered(entry, at, *identity, index_.Trim(IdentityHash(entry.identity, secret_)));
}

void BlockStore::AdoptRecovered(const TocEntry& found, DiskLocation at, const BlockIdentity& identity,
                                const Hash128& hash) {
  const absl::StatusOr<NamespaceId> name_space = namespaces_.Intern(identity.name_space);
  if (!name_space.ok()) return nvme_->Release(at, found.RecordBytes());
  const wire::KeyRef key{identity.group, identity.part, static_cast<uint32_t>(found.depth_tokens),
                         identity.key.bytes()};
  const BlockId holder = index_.Probe(hash);
  if (holder != kNoBlock) {
    const auto adopted = recovery_->sequence_of.find(holder);
    const bool replaces = Matches(entries_.At(holder), *name_space, key) && adopted != recovery_->sequence_of.end() &&
                          adopted->second < found.sequence && !entries_.At(holder).in_ram;
    if (!replaces) return nvme_->Release(at, found.RecordBytes());
    recovery_->sequence_of.erase(adopted);
    Doom(holder);
  }
  const BlockId id = entries_.Allocate();
  Entry& entry = entries_.At(id);
  entry.hash = hash;
  entry.namespace_id = *name_space;
  entry.owner = static_cast<uint16_t>(OwnerOf(*name_space));
  entry.group = identity.group;
  entry.part = identity.part;
  entry.depth_tokens = key.depth_tokens;
  entry.key.assign(key.key.begin(), key.key.end());
  entry.header_bytes = found.header_bytes;
  entry.stored_bytes = found.stored_bytes;
  entry.raw_bytes = found.raw_bytes;
  entry.segment_count = found.segment_count;
  entry.codec = found.codec;
  entry.nvme = at;
  entry.indexed = true;
  index_.Insert(id);
  ++usages_[entry.owner].blocks;
  namespaces_.CountBlock(entry);
  EnterAll(id, found.stamp_ns);
  EnterNvmeOnly(id);
  NoteFoundOnNvme(entry.owner);
  recovery_->sequence_of[id] = found.sequence;
  if (listener_ != nullptr) listener_->OnVisible(entry, wire::Presence::kNvme);
}

void BlockStore::OnRecoveryDone() {
  recovery_.reset();
  PumpBackups();
}

}  // namespace incipit
