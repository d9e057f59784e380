#include "cache/nvme/reclaimer.h"

#include <algorithm>
#include <utility>

#include "cache/base/xxh3.h"
#include "cache/nvme/region_scanner.h"
#include "cache/nvme/toc_reader.h"

namespace incipit {
namespace {

constexpr int64_t kPauseNs = 100'000'000;    // before trying again after the device failed
constexpr uint64_t kMaxGapBytes = 64 << 10;  // read through rather than around
constexpr uint64_t kWorthwhileShare = 32;    // a victim must give at least 1/32 of a region
constexpr uint64_t kTombstoneShare = 16;     // with more than 1/16 of all space in tombstones, old regions are moved

}  // namespace

Reclaimer::Reclaimer(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
                     RegionWriter* writer, RegionReader* reader, NvmeTier::Host* host, uint64_t group_bytes,
                     NvmeStats* stats)
    : loop_(loop),
      device_(device),
      table_(table),
      stamper_(stamper),
      sealer_(sealer),
      writer_(writer),
      reader_(reader),
      host_(host),
      group_bytes_(group_bytes),
      stats_(stats),
      stopping_(loop),
      scope_(loop) {}

void Reclaimer::Start() { scope_.Spawn(Run()); }

void Reclaimer::Stop() {
  stopping_.Set();
  table_->changed().NotifyAll();
}

uint64_t Reclaimer::VictimLimitBytes() const {
  const auto full = static_cast<uint64_t>(sealer_->fill_ratio() * static_cast<double>(table_->region_bytes()));
  return full - full / kWorthwhileShare;
}

// Tombstones are needed while an older region may hold what they speak of. A few old regions full of blocks that stay
// valued would keep all of them for ever, so these regions are rewritten, oldest first, when tombstones have become
// many.
std::optional<uint32_t> Reclaimer::PickVictim() const {
  const uint64_t capacity_bytes = table_->count() * table_->region_bytes();
  const uint64_t tombstone_limit = std::max(capacity_bytes / kTombstoneShare, table_->region_bytes() / 2);
  if (table_->tombstone_bytes() > tombstone_limit) {
    const std::optional<uint32_t> oldest = table_->PickOldest();
    if (oldest.has_value()) return oldest;
  }
  return table_->PickVictim(VictimLimitBytes());
}

bool Reclaimer::CanHelp() const {
  if (stopping_.is_set()) return false;
  if (busy_ || cleaning_ || sealer_->running() > 0) return true;
  // An unclean region held by a lost operation may never become free.
  if (table_->PickUnclean().has_value()) return true;
  if (table_->CountOf(RegionState::kUnclean) > 0 && device_->late_ops() == 0) return true;
  if (table_->CountOf(RegionState::kUnknown) > 0) return true;
  return PickVictim().has_value();
}

Task<void> Reclaimer::Pause() { co_await stopping_.WaitUntil(loop_->NowNs() + kPauseNs); }

Task<void> Reclaimer::Run() {
  while (!stopping_.is_set()) {
    if (device_->health().serving()) {
      const std::optional<uint32_t> unclean = table_->PickUnclean();
      if (unclean.has_value()) {
        co_await Clean(*unclean);
        continue;
      }
      // An unclean region is not counted: a lost operation may hold it for good.
      const bool enough = table_->free_count() >= kFreeTarget;
      const std::optional<uint32_t> victim = enough ? std::nullopt : PickVictim();
      const bool has_place = table_->free_count() > 0 || (victim.has_value() && table_->BytesToMove(*victim) == 0);
      if (victim.has_value() && (has_place || writer_->WaitsForSpace())) {
        co_await Empty(*victim);
        continue;
      }
    }
    co_await table_->changed().Wait();
  }
}

Task<void> Reclaimer::Clean(uint32_t region) {
  cleaning_ = true;
  absl::StatusOr<uint64_t> generation = co_await stamper_->Stamp(region);
  if (generation.ok()) {
    table_->Free(region, *generation);
  } else {
    co_await Pause();
  }
  cleaning_ = false;
  table_->changed().NotifyAll();
}

Task<void> Reclaimer::Empty(uint32_t region) {
  busy_ = true;
  Victim victim;
  victim.region = region;
  victim.generation = table_->At(region).generation;
  table_->SetState(region, RegionState::kReclaiming);
  victim.failure = co_await ListEntries(&victim);
  victim.fates.resize(victim.entries.size(), Fate::kPending);
  size_t next = 0;
  while (next < victim.entries.size() && victim.failure.ok() && !stopping_.is_set()) {
    next = co_await MoveGroup(&victim, next, group_bytes_);
  }
  if (!victim.failure.ok() || stopping_.is_set()) {
    table_->SetState(region, RegionState::kSealed);
    busy_ = false;
    if (!stopping_.is_set()) co_await Pause();
    co_return;
  }
  // A record that was spare when it was looked at may have become valued since: it gets one more chance. From here on
  // there is no way back, so that a failure to move loses the record.
  for (size_t i = 0; i < victim.entries.size(); ++i) {
    if (victim.fates[i] == Fate::kPending && Wanted(&victim, i)) co_await MoveGroup(&victim, i, 0);
    const TocEntry& entry = victim.entries[i];
    if (victim.fates[i] == Fate::kMoved || entry.kind == RecordKind::kTombstone) continue;
    host_->OnDropped(entry.identity, DiskLocation{region, entry.offset});
    victim.fates[i] = Fate::kLost;
  }
  if (!victim.complete) host_->OnRegionDropped(region);
  ++stats_->regions_reclaimed;
  busy_ = false;
  table_->Abandon(region);
}

Task<absl::Status> Reclaimer::ListEntries(Victim* victim) {
  absl::Status status;
  if (table_->At(victim->region).has_toc) {
    std::vector<uint8_t> page;
    status = co_await ReadRegionPage(device_, table_, victim->region, table_->region_bytes() - kDiskPageBytes, &page);
    absl::StatusOr<RegionFooter> footer = absl::DataLossError("not read");
    if (status.ok()) footer = RegionFooter::Decode(page);
    if (footer.ok() && FooterMatches(*footer, stamper_->store_id(), victim->region, victim->generation)) {
      absl::StatusOr<std::vector<TocEntry>> entries = co_await ReadToc(device_, table_, *footer);
      if (entries.ok()) {
        victim->entries = *std::move(entries);
        victim->complete = true;
        co_return absl::OkStatus();
      }
    }
    if (!device_->health().serving()) co_return device_->health().Refusal();
  }
  // No table of contents, or a damaged one: what can be found is saved, the rest is lost.
  ScanResult result;
  RegionScanner scanner(device_, table_, victim->region, victim->generation);
  co_await scanner.Run(&result);
  victim->entries = std::move(result.entries);
  if (!device_->health().serving()) co_return device_->health().Refusal();
  co_return absl::OkStatus();
}

bool Reclaimer::Wanted(const Victim* victim, size_t index) const {
  const TocEntry& entry = victim->entries[index];
  if (entry.kind == RecordKind::kTombstone) return table_->OlderExists(victim->region, victim->generation);
  return host_->StillValued(entry.identity, DiskLocation{victim->region, entry.offset});
}

Task<size_t> Reclaimer::MoveGroup(Victim* victim, size_t begin, uint64_t limit_bytes) {
  std::vector<size_t> group;
  ReadWindow window;
  size_t index = begin;
  for (; index < victim->entries.size(); ++index) {
    const TocEntry& entry = victim->entries[index];
    const uint64_t end = AlignUp(entry.offset + entry.RecordBytes(), kDiskPageBytes);
    const bool far = !group.empty() && (entry.offset > window.end + kMaxGapBytes || end - window.start > limit_bytes);
    if (far) break;
    if (victim->fates[index] != Fate::kPending || !Wanted(victim, index)) continue;
    if (group.empty()) window.start = AlignDown(entry.offset, kDiskPageBytes);
    window.end = end;
    group.push_back(index);
  }
  if (group.empty()) co_return index;
  absl::StatusOr<std::shared_ptr<WindowRead>> read =
      co_await reader_->Read(victim->region, window, ReadWindow{}, kForeverNs);
  if (!read.ok()) {
    Task<void> singly = MoveSingly(victim, group, read.status());
    co_await singly;
    co_return index;
  }
  TaskScope moves(loop_);
  for (const size_t one : group) moves.Spawn(MoveOne(victim, one, read->get()));
  co_await moves.Join();
  co_return index;
}

Task<void> Reclaimer::MoveSingly(Victim* victim, std::vector<size_t> group, absl::Status cause) {
  if (!device_->health().serving() || absl::IsResourceExhausted(cause)) {
    victim->failure = cause;
  } else if (group.size() == 1) {
    ++stats_->damaged_records;
    victim->fates[group[0]] = Fate::kLost;
  } else {
    for (const size_t one : group) co_await MoveGroup(victim, one, 0);
  }
}

bool Reclaimer::IsIntact(const Victim* victim, const TocEntry& entry, const std::vector<iovec>& pieces) {
  std::vector<uint8_t> header_bytes;
  for (const iovec& piece : pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    header_bytes.insert(header_bytes.end(), data,
                        data + std::min<size_t>(piece.iov_len, entry.header_bytes - header_bytes.size()));
  }
  absl::StatusOr<RecordHeader> header = DecodeRecordHeader(header_bytes);
  if (!header.ok() || header->identity != entry.identity || header->region_generation != victim->generation) {
    return false;
  }
  if (header->HeaderBytes() != entry.header_bytes || header->StoredBytes() != entry.stored_bytes) return false;
  uint64_t at = entry.header_bytes;
  for (const Segment& segment : header->segments) {
    if (Xxh3OfPieces(pieces, at, segment.stored_bytes) != segment.checksum) return false;
    at += segment.stored_bytes;
  }
  return true;
}

Task<void> Reclaimer::MoveOne(Victim* victim, size_t index, const WindowRead* read) {
  TocEntry entry = victim->entries[index];
  std::vector<iovec> pieces;
  read->Slice(entry.offset, entry.RecordBytes(), &pieces);
  if (!IsIntact(victim, entry, pieces)) {
    ++stats_->damaged_records;
    victim->fates[index] = Fate::kLost;
    co_return;
  }
  const DiskLocation from{victim->region, entry.offset};
  AppendRules rules;
  rules.for_reclaim = true;
  rules.still_wanted = [this, victim, index] { return Wanted(victim, index); };
  absl::StatusOr<DiskLocation> to = co_await writer_->Append(&entry, pieces, &rules);
  if (to.ok()) {
    victim->fates[index] = Fate::kMoved;
    stats_->bytes_reinserted += entry.RecordBytes();
    if (entry.kind == RecordKind::kTombstone) co_return;
    if (Wanted(victim, index)) table_->Release(victim->region, entry.RecordBytes());
    if (!host_->OnMoved(entry.identity, from, *to)) table_->Release(to->region, entry.RecordBytes());
  } else if (absl::IsResourceExhausted(to.status()) && writer_->WaitsForSpace()) {
    victim->fates[index] = Fate::kLost;  // no space to move it to: better lost than stuck
  } else if (!absl::IsCancelled(to.status())) {
    victim->failure = to.status();
  }
}

}  // namespace incipit
