// Room on NVMe, demotion, write-behind and promotion; answers to what reclaim asks.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/block_store.h"

namespace incipit {
namespace {

constexpr size_t kVictimCandidates = 256;
constexpr size_t kMaxQueuedBackups = 1 << 20;
// A block that is to be written is compared with so many of those on NVMe, which are looked for so many times.
constexpr int kCompared = 16, kDraws = 128;
constexpr double kLevelForBackups = 0.5;  // of the write budget: what is left of it is for demotions

// Copies between two lists of pieces of equal total length.
void CopyPieces(std::span<const iovec> from, std::span<const iovec> to) {
  size_t to_index = 0, to_offset = 0;
  for (const iovec& piece : from) {
    size_t done = 0;
    while (done < piece.iov_len) {
      const size_t take = std::min(piece.iov_len - done, to[to_index].iov_len - to_offset);
      std::memcpy(static_cast<uint8_t*>(to[to_index].iov_base) + to_offset,
                  static_cast<uint8_t*>(piece.iov_base) + done, take);
      done += take;
      to_offset += take;
      if (to_offset == to[to_index].iov_len) {
        ++to_index;
        to_offset = 0;
      }
    }
  }
}

}  // namespace

// Whether `candidate` may be evicted so that `id` can be demoted: from NVMe, or else from RAM in place of `id`, but
// there only if it is of the same tenant.
bool BlockStore::MayGiveWayTo(BlockId id, BlockId candidate) const {
  const Entry& entry = entries_.At(candidate);
  if (entry.pins > 0) return false;
  if (candidate == id || entry.nvme_only) return true;
  return entry.in_ram && entry.readers == 0 && !entry.writing && entry.owner == entries_.At(id).owner;
}

// Whether the write budget should be spent on `id`: the less of it is left, the more of what is on NVMe must be worth
// less. Along a chain the answer does not turn from yes to no. A pinned block is promised to stay.
bool BlockStore::WorthItsWrite(BlockId id) {
  if (!write_budget_.limited() || entries_.At(id).pins > 0) return true;
  const uint64_t stamp_ns = ram_policy_.StampOf(id);
  const uint32_t depth_tokens = entries_.At(id).depth_tokens;
  if (written_requests_.HasDeeper(stamp_ns, depth_tokens)) return true;
  const double level = write_budget_.Level(loop_->NowNs());
  int compared = 0, outranked = 0;
  for (int i = 0; i < kDraws && compared < kCompared && nvme_only_blocks_ > 0; ++i) {
    const auto other = static_cast<BlockId>(MixKey(++samples_) % entries_.end());
    if (!entries_.At(other).nvme_only) continue;
    ++compared;
    if (all_policy_.Outranks(id, other)) ++outranked;
  }
  const double share = compared == 0 ? 1 : static_cast<double>(outranked) / compared;
  if (level <= 0 || share < 1 - level) {
    ++counters_.over_write_budget;
    return false;
  }
  written_requests_.Note(stamp_ns, depth_tokens);
  return true;
}

// Evicts from NVMe what is worth least until `id` may be demoted there, and returns kNoBlock. Where a block in RAM is
// worth less than all on NVMe, `id` itself perhaps, it returns that: evicting it costs least, and no write. Also `id`
// where NVMe does not take it at all.
BlockId BlockStore::MakeNvmeRoom(BlockId id) {
  const uint64_t bytes = entries_.At(id).RecordBytes();
  if (shutting_down_ || !NvmeServes() || !nvme_->Fits(bytes) || !WorthItsWrite(id) || !MayStayOnNvme(id)) {
    return id;
  }
  while (nvme_->stats().valued_bytes + writing_bytes_ + bytes > nvme_->UsableBytes()) {
    BlockId least = SurplusVictim(Tier::kNvme, [&](BlockId candidate) {
      return entries_.At(candidate).nvme_only && entries_.At(candidate).pins == 0;
    });
    if (least == kNoBlock) {
      least = all_policy_.Victim([&](BlockId candidate) { return MayGiveWayTo(id, candidate); }, kVictimCandidates);
    }
    if (least == kNoBlock) return id;
    if (!entries_.At(least).nvme_only) return least;
    ++counters_.evicted_from_nvme;
    Doom(least);
  }
  return kNoBlock;
}

// Appends the RAM copy of `id`. For a demotion its memory is then freed; otherwise the copy stays as a spare.
Task<void> BlockStore::WriteToNvme(BlockId id, bool demote) {
  Entry& entry = entries_.At(id);
  const uint64_t record_bytes = entry.RecordBytes();
  const TenantIndex owner = entry.owner;
  entry.writing = true;
  writing_bytes_ += record_bytes;
  write_budget_.Spend(record_bytes);
  TocEntry toc;
  toc.header_bytes = entry.header_bytes;
  toc.stored_bytes = entry.stored_bytes;
  toc.raw_bytes = entry.raw_bytes;
  toc.segment_count = entry.segment_count;
  toc.codec = entry.codec;
  toc.depth_tokens = entry.depth_tokens;
  toc.stamp_ns = ram_policy_.StampOf(id);
  toc.identity = FramedIdentity(entry);
  std::vector<iovec> pieces;
  arena_->Slice(entry.ram, 0, record_bytes, &pieces);
  Task<absl::StatusOr<DiskLocation>> appending = nvme_->Append(std::move(toc), pieces);
  const absl::StatusOr<DiskLocation> at = co_await appending;
  writing_bytes_ -= record_bytes;
  entry.writing = false;
  if (demote) {
    demoting_bytes_ -= Arena::AllocatedBytesFor(record_bytes);
    usages_[owner].demoting_bytes -= Arena::AllocatedBytesFor(record_bytes);
    usages_[owner].nvme_writing_bytes -= record_bytes;
  }
  if (!entry.indexed) {  // Removed while it was being written.
    if (at.ok()) nvme_->Release(*at, record_bytes);
    FreeIfUnused(id);
  } else if (at.ok()) {
    entry.nvme = *at;
    entry.nvme_spare = false;
    MarkSpare(id, true);
    ++(demote ? counters_.demoted : counters_.backed_up);
    last_demotion_ns_ = loop_->NowNs();
    if (demote) FinishDemotion(id);
  } else {
    ++counters_.demotions_failed;
    if (demote && entry.readers == 0 && entry.pins == 0) {
      ++counters_.evicted_from_ram;
      Doom(id);
    }
  }
  NoteSpaceFreed();
  PumpBackups();
}

// The block has a copy on NVMe: its RAM copy goes as soon as no reader holds it.
void BlockStore::FinishDemotion(BlockId id) {
  LeaveRam(id);
  MarkSpare(id, false);
  EnterNvmeOnly(id);
  FreeIfUnused(id);
}

void BlockStore::QueueBackup(BlockId id) {
  if (nvme_ == nullptr || backups_.size() >= kMaxQueuedBackups) return;
  const Entry& entry = entries_.At(id);
  if (!usages_[entry.owner].nvme_limit.Admits(entry.RecordBytes())) return;
  backups_.push_back({id, entry.hash});
  PumpBackups();
}

// Writes new blocks behind while NVMe has regions that nobody needs; the copies are spare from the start.
void BlockStore::PumpBackups() {
  while (!backups_.empty() && !shutting_down_) {
    if (!NvmeServes() || !nvme_->HasSpareRegions()) {
      if (nvme_->stats().state == NvmeState::kServing) backups_.clear();  // Full: demotion takes over.
      return;
    }
    if (writing_bytes_ >= options_.demotion_backlog_bytes) return;
    if (write_budget_.Level(loop_->NowNs()) < kLevelForBackups) return;
    const auto [id, hash] = backups_.front();
    backups_.pop_front();
    const Entry& entry = entries_.At(id);
    const bool same = entry.indexed && entry.hash == hash;
    if (!same || !entry.in_ram || entry.writing || entry.nvme.valid() || !nvme_->Fits(entry.RecordBytes())) continue;
    tasks_.Spawn(WriteToNvme(id, /*demote=*/false));
  }
}

Task<absl::StatusOr<BlockStore::PayloadRange>> BlockStore::LocateCoded(DiskLocation at, uint32_t header_bytes,
                                                                       ByteView identity, uint32_t first_segment,
                                                                       uint32_t segment_count, int64_t deadline_ns) {
  Task<absl::StatusOr<StagedRead>> reading = nvme_->Read(at, header_bytes, identity, 0, 0, deadline_ns);
  const absl::StatusOr<StagedRead> staged = co_await reading;
  if (!staged.ok()) co_return staged.status();
  const absl::StatusOr<RecordHeader> header = DecodeRecordHeader(staged->header());
  if (!header.ok()) co_return header.status();
  PayloadRange range;
  for (size_t i = 0; i < header->segments.size(); ++i) {
    if (i < first_segment) {
      range.offset += header->segments[i].stored_bytes;
    } else if (i - first_segment < segment_count) {
      range.length += header->segments[i].stored_bytes;
    }
  }
  co_return range;
}

Task<absl::StatusOr<BlockStore::NvmeRead>> BlockStore::ReadNvme(BlockId id, uint32_t first_segment,
                                                                uint32_t segment_count, int64_t deadline_ns) {
  // The entry may end while the read is in flight, so all that is needed of it is taken now.
  const Entry& entry = entries_.At(id);
  const DiskLocation at = entry.nvme;
  const Hash128 hash = entry.hash;
  const uint32_t header_bytes = entry.header_bytes;
  const uint64_t stored_bytes = entry.stored_bytes;
  const uint32_t all_segments = entry.segment_count;
  const std::vector<uint8_t> identity = FramedIdentity(entry);
  const NamespaceTable::Info& info = namespaces_.At(entry.namespace_id);
  PayloadRange range{0, stored_bytes};
  const bool whole = first_segment == 0 && segment_count >= all_segments;
  absl::Status located;
  if (!whole && IsCoded(entry.codec)) {
    Task<absl::StatusOr<PayloadRange>> locating =
        LocateCoded(at, header_bytes, identity, first_segment, segment_count, deadline_ns);
    const absl::StatusOr<PayloadRange> found = co_await locating;
    located = found.status();
    if (found.ok()) range = *found;
  } else if (!whole && info.layout.has_value()) {  // Segments of a group have one size.
    const GroupSpec& group = info.layout->groups[entry.group];
    const uint64_t segment_bytes = StoredRangeOf(entry.codec, group.SegmentBytes()).most;
    range.offset = first_segment * segment_bytes;
    range.length = std::min<uint64_t>(segment_count * segment_bytes, stored_bytes - range.offset);
  }
  absl::StatusOr<StagedRead> staged = absl::UnknownError("not read yet");
  if (!located.ok()) {
    staged = located;
  } else {
    Task<absl::StatusOr<StagedRead>> reading =
        nvme_->Read(at, header_bytes, identity, range.offset, range.length, deadline_ns);
    staged = co_await reading;
  }
  const BlockId now_there = index_.Probe(hash);
  const bool still = now_there != kNoBlock && entries_.At(now_there).nvme == at;
  absl::Status status = staged.status();
  NvmeRead read;
  if (status.ok()) {
    absl::StatusOr<RecordHeader> header = DecodeRecordHeader(staged->header());
    status = header.status();
    if (header.ok()) read.header = *std::move(header);
    uint64_t position = 0;
    for (uint32_t i = 0; status.ok() && i < segment_count && first_segment + i < read.header.segments.size(); ++i) {
      const Segment& segment = read.header.segments[first_segment + i];
      if (Xxh3OfPieces(staged->payload(), position, segment.stored_bytes) != segment.checksum) {
        status = absl::DataLossError(absl::StrCat("segment ", first_segment + i, " fails its checksum on NVMe"));
      }
      position += segment.stored_bytes;
    }
  }
  if (!status.ok()) {
    ++counters_.nvme_read_failures;
    if (absl::IsDataLoss(status) && still) {
      ++counters_.damaged_on_nvme;
      if (entries_.At(now_there).in_ram) {
        DropNvmeCopy(now_there);
      } else {
        Doom(now_there);
      }
    }
    co_return status;
  }
  read.staged = *std::move(staged);
  if (whole && still && !entries_.At(now_there).in_ram) Promote(now_there, read);
  co_return read;
}

// Copies a block just read into RAM, if that needs no waiting. Its NVMe copy becomes a spare.
void BlockStore::Promote(BlockId id, const NvmeRead& read) {
  Entry& entry = entries_.At(id);
  ++entry.pins;  // Making room must not take this very block.
  const bool room = !entry.writing && entry.ram.empty() && MakeRamQuotaRoomNow(entry.owner, entry.RecordBytes()) &&
                    MakeRoomNow(entry.RecordBytes());
  --entry.pins;
  if (!room) {
    ++counters_.promotions_skipped;
    return KeepHeadroom();
  }
  absl::StatusOr<ExtentList> extents = arena_->Allocate(entry.RecordBytes());
  if (!extents.ok()) return;
  entry.ram = *std::move(extents);
  usages_[entry.owner].ram_bytes += Arena::AllocatedBytesFor(entry.RecordBytes());
  std::vector<iovec> from, to;
  from.push_back({const_cast<uint8_t*>(read.staged.header().data()), read.staged.header().size()});
  from.insert(from.end(), read.staged.payload().begin(), read.staged.payload().end());
  arena_->Slice(entry.ram, 0, entry.RecordBytes(), &to);
  CopyPieces(from, to);
  LeaveNvmeOnly(id);
  EnterRam(id, all_policy_.StampOf(id));
  MarkSpare(id, true);
  ++counters_.promoted;
  KeepHeadroom();
}

BlockId BlockStore::FindFramed(ByteView identity, DiskLocation at) {
  const BlockId id = index_.Probe(index_.Trim(IdentityHash(identity, secret_)));
  return id != kNoBlock && entries_.At(id).nvme == at ? id : kNoBlock;
}

bool BlockStore::StillValued(ByteView identity, DiskLocation at) {
  const BlockId id = FindFramed(identity, at);
  return id != kNoBlock && !entries_.At(id).in_ram;
}

bool BlockStore::OnMoved(ByteView identity, DiskLocation from, DiskLocation to) {
  const BlockId id = FindFramed(identity, from);
  if (id == kNoBlock) return false;
  Entry& entry = entries_.At(id);
  entry.nvme = to;
  entry.nvme_spare = false;
  if (entry.in_ram) MarkSpare(id, true);
  return true;
}

void BlockStore::OnDropped(ByteView identity, DiskLocation at) {
  const BlockId id = FindFramed(identity, at);
  if (id != kNoBlock) LoseNvmeCopy(id);
}

void BlockStore::OnRegionDropped(uint32_t region) {
  for (BlockId id = 0; id < entries_.end(); ++id) {
    const Entry& entry = entries_.At(id);
    if (entry.indexed && entry.nvme.valid() && entry.nvme.region == region) LoseNvmeCopy(id);
  }
}

// The tier gave up the copy by itself; there is nothing to release.
void BlockStore::LoseNvmeCopy(BlockId id) {
  Entry& entry = entries_.At(id);
  entry.nvme = {};
  entry.nvme_spare = false;
  if (entry.nvme_only) LeaveNvmeOnly(id);
  if (entry.in_ram) return;
  ++counters_.lost_in_reclaim;
  Doom(id);
}

}  // namespace incipit
