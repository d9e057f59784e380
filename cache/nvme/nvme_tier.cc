#include "cache/nvme/nvme_tier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/nvme/nvme_tier_impl.h"
#include "cache/nvme/staged_read.h"

namespace incipit {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr uint64_t kMinSlotBytes = 32 << 10;  // a record header lies within one slot wherever it begins in a page
constexpr uint64_t kMinWriteBufferBytes = 64 << 10;
constexpr uint64_t kMergeGapBytes = 64 << 10;  // header and payload this near are read as one
constexpr uint64_t kReclaimGroupBytes = 4 << 20;
constexpr uint32_t kKeptRegions = 3;  // one open, one reserved for reclaim, one in hand

absl::Status CheckOptions(const NvmeOptions& options) {
  auto refuse = [](const char* field, uint64_t found, std::string allowed) {
    return absl::InvalidArgumentError(absl::StrCat("NVMe ", field, " is ", found, ", allowed: ", allowed));
  };
  if (options.write_buffer_bytes < kMinWriteBufferBytes || options.write_buffer_bytes % kDiskPageBytes != 0) {
    return refuse("write_buffer_bytes", options.write_buffer_bytes,
                  absl::StrCat("a multiple of ", kDiskPageBytes, " from ", kMinWriteBufferBytes));
  }
  if (options.write_buffers < 2) return refuse("write_buffers", options.write_buffers, "at least 2");
  if (options.read_slot_bytes < kMinSlotBytes || options.read_slot_bytes % kDiskPageBytes != 0) {
    return refuse("read_slot_bytes", options.read_slot_bytes,
                  absl::StrCat("a multiple of ", kDiskPageBytes, " from ", kMinSlotBytes));
  }
  if (options.read_timeout_ms == 0 || options.write_timeout_ms == 0 || options.probe_interval_ms == 0 ||
      options.suspend_after_errors == 0 || options.recovery_depth == 0) {
    return refuse("timeout, probe interval, error limit or recovery depth", 0, "at least 1");
  }
  if (!(options.fill_limit > 0 && options.fill_limit <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("NVMe fill_limit is ", options.fill_limit, ", allowed: over 0 to 1"));
  }
  return absl::OkStatus();
}

uint64_t MaxRecordBytesOf(uint64_t region_bytes) {
  const uint64_t overhead = 2 * kDiskPageBytes + AlignUp(kMaxTocEntryBytes, kDiskPageBytes);
  return std::min<uint64_t>(kMaxStoredBytes + kMaxRecordHeaderBytes, region_bytes - overhead);
}

// Enough slots for the largest record, however it lies: header and payload windows begin and end inside pages.
uint32_t SlotCount(const NvmeOptions& options) {
  const uint64_t largest = MaxRecordBytesOf(options.region_bytes) + 2 * kDiskPageBytes;
  const uint64_t needed = (largest + options.read_slot_bytes - 1) / options.read_slot_bytes + 2;
  return static_cast<uint32_t>(std::max<uint64_t>(options.read_slots, needed));
}

}  // namespace

NvmeTier::Impl::Impl(Loop* event_loop, Random* random, Host* owner, const NvmeOptions& settings,
                     std::unique_ptr<NvmeStats> stats_part, std::unique_ptr<Device> device_part,
                     const OpenedStore& store)
    : loop(event_loop),
      host(owner),
      options(settings),
      stats(std::move(stats_part)),
      device(std::move(device_part)),
      table(loop, store.superblock.region_count, options.region_bytes),
      slots(loop, SlotCount(options), options.read_slot_bytes),
      stamper(device.get(), &table),
      sealer(loop, device.get(), &table, &stamper),
      writer(loop, device.get(), &table, &stamper, &sealer, options),
      reader(loop, device.get(), &table, &slots, static_cast<int64_t>(options.read_timeout_ms) * kNsPerMs),
      reclaimer(loop, device.get(), &table, &stamper, &sealer, &writer, &reader, host,
                std::min(kReclaimGroupBytes, slots.memory().size() / 4), stats.get()),
      recovery(loop, device.get(), &table, &stamper, &sealer, &writer, host, random, options, stats.get()),
      created(store.created),
      can_open(loop),
      recovered(loop),
      calls_changed(loop),
      scope(loop) {
  stamper.set_store_id(store.superblock.store_id);
  writer.set_reclaim_can_help([this] { return !recovered.is_set() || reclaimer.CanHelp(); });
  device->health().set_on_change([this] {
    writer.Wake();
    table.changed().NotifyAll();
  });
  stats->capacity_bytes = table.count() * options.region_bytes;
}

NvmeTier::NvmeTier() = default;
NvmeTier::~NvmeTier() = default;

Task<absl::StatusOr<std::unique_ptr<NvmeTier>>> NvmeTier::Open(Loop* loop, Disk* disk, Random* random, Host* host,
                                                               NvmeOptions options) {
  absl::Status valid = CheckOptions(options);
  if (!valid.ok()) co_return valid;
  auto stats = std::make_unique<NvmeStats>();
  auto device = std::make_unique<Device>(loop, disk, random, options, stats.get());
  absl::StatusOr<OpenedStore> store = co_await OpenStore(device.get(), random, &options, loop->WallNs());
  if (!store.ok()) {
    co_await device->Stop(kForeverNs);
    co_return store.status();
  }
  std::unique_ptr<NvmeTier> tier(new NvmeTier());
  tier->impl_ = std::make_unique<Impl>(loop, random, host, options, std::move(stats), std::move(device), *store);
  co_return std::move(tier);
}

Task<absl::Status> NvmeTier::Recover() {
  Impl* impl = impl_.get();
  CallGuard guard(&impl->calls, &impl->calls_changed);
  impl->recovering = true;
  absl::Status status;
  if (impl->created) {
    impl->recovery.StartBlank();
  } else {
    status = co_await impl->recovery.LookAtRegions();
  }
  impl->refusal = status;
  impl->can_open.Set();
  if (status.ok() && !impl->created) status = co_await impl->recovery.ReadRecords();
  impl->refusal = status;
  impl->recovering = false;
  impl->recovered.Set();
  if (status.ok()) {
    impl->host->OnRecoveryDone();
    if (!impl->closing) impl->reclaimer.Start();
  }
  co_return status;
}

uint64_t NvmeTier::Impl::MaxRecordBytes() const { return MaxRecordBytesOf(options.region_bytes); }

absl::Status NvmeTier::Impl::CheckAppend(const TocEntry& entry, std::span<const iovec> pieces) const {
  uint64_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  if (bytes != entry.RecordBytes() || entry.header_bytes < kRecordFixedBytes ||
      entry.header_bytes > kMaxRecordHeaderBytes || entry.identity.size() > kMaxFramedIdentityBytes) {
    return absl::InvalidArgumentError(absl::StrCat("nvme append: pieces of ", bytes, " bytes for a record of ",
                                                   entry.header_bytes, " + ", entry.stored_bytes));
  }
  if (bytes > MaxRecordBytes()) {
    return absl::InvalidArgumentError(absl::StrCat("nvme append: a record of ", bytes, " bytes, a region of ",
                                                   options.region_bytes, " takes at most ", MaxRecordBytes(),
                                                   "; raise region_bytes"));
  }
  return absl::OkStatus();
}

Task<absl::StatusOr<DiskLocation>> NvmeTier::Append(TocEntry entry, std::span<const iovec> pieces) {
  Impl* impl = impl_.get();
  CallGuard guard(&impl->calls, &impl->calls_changed);
  absl::Status valid = impl->CheckAppend(entry, pieces);
  if (!valid.ok()) co_return valid;
  if (!impl->device->health().serving()) co_return impl->device->health().Refusal();
  if (!impl->can_open.is_set()) co_await impl->can_open.Wait();
  // Only when all records are known is it certain that a tombstone is newer than what it speaks of.
  if (entry.kind == RecordKind::kTombstone && !impl->recovered.is_set()) co_await impl->recovered.Wait();
  if (!impl->refusal.ok()) co_return absl::UnavailableError(absl::StrCat("nvme: ", impl->refusal.message()));
  const AppendRules rules;
  absl::StatusOr<DiskLocation> location = co_await impl->writer.Append(&entry, pieces, &rules);
  co_return location;
}

absl::Status NvmeTier::Impl::CheckRead(DiskLocation at, uint32_t header_bytes, uint64_t offset, uint64_t length) const {
  if (!device->health().serving()) return device->health().Refusal();
  if (!table.Readable(at.region))
    return absl::DataLossError(absl::StrCat("nvme: region ", at.region, " holds no records"));
  const uint64_t records_end = options.region_bytes - kDiskPageBytes;
  const bool header_fits = at.offset % kRecordAlign == 0 && at.offset >= kDiskPageBytes && at.offset <= records_end &&
                           header_bytes >= kRecordFixedBytes && header_bytes <= kMaxRecordHeaderBytes &&
                           header_bytes <= records_end - at.offset;
  const uint64_t room = header_fits ? records_end - at.offset - header_bytes : 0;
  if (!header_fits || offset > room || length > room - offset || length > kMaxStoredBytes) {
    return absl::InvalidArgumentError(absl::StrCat("nvme read: ", header_bytes, " header bytes and ", length,
                                                   " payload bytes from ", offset, " at region ", at.region, " offset ",
                                                   at.offset, " do not lie in a region"));
  }
  return absl::OkStatus();
}

Task<absl::StatusOr<StagedRead>> NvmeTier::Read(DiskLocation at, uint32_t header_bytes, ByteView identity,
                                                uint64_t offset, uint64_t length, int64_t deadline_ns) {
  Impl* impl = impl_.get();
  CallGuard guard(&impl->calls, &impl->calls_changed);
  absl::Status valid = impl->CheckRead(at, header_bytes, offset, length);
  if (!valid.ok()) co_return valid;
  const uint64_t generation = impl->table.At(at.region).generation;
  const uint64_t payload_start = at.offset + header_bytes + offset;
  ReadWindow header_window{AlignDown(at.offset, kDiskPageBytes), AlignUp(at.offset + header_bytes, kDiskPageBytes)};
  ReadWindow payload_window{AlignDown(payload_start, kDiskPageBytes), AlignUp(payload_start + length, kDiskPageBytes)};
  if (length == 0) payload_window = ReadWindow{};
  if (length > 0 && payload_window.start <= header_window.end + kMergeGapBytes) {
    header_window.end = payload_window.end;
    payload_window = ReadWindow{};
  }
  absl::StatusOr<std::shared_ptr<WindowRead>> read =
      co_await impl->reader.Read(at.region, header_window, payload_window, deadline_ns);
  if (!read.ok()) co_return read.status();

  StagedRead staged;
  staged.state_ = std::make_unique<StagedRead::State>();
  std::vector<iovec> header_pieces;
  (*read)->Slice(at.offset, header_bytes, &header_pieces);
  INCIPIT_CHECK(header_pieces.size() == 1, "a record header lies within one slot");
  staged.state_->header = ByteView{static_cast<const uint8_t*>(header_pieces[0].iov_base), header_bytes};
  (*read)->Slice(payload_start, length, &staged.state_->payload);
  staged.state_->read = *std::move(read);

  absl::StatusOr<RecordHeader> header = DecodeRecordHeader(staged.state_->header);
  const bool same = header.ok() && header->HeaderBytes() == header_bytes && header->region_generation == generation &&
                    std::equal(identity.begin(), identity.end(), header->identity.begin(), header->identity.end());
  if (!same) {
    ++impl->stats->damaged_records;
    co_return absl::DataLossError(
        absl::StrCat("nvme: the record at region ", at.region, " offset ", at.offset,
                     header.ok() ? " is another one" : absl::StrCat(" is damaged: ", header.status().message())));
  }
  if (offset > header->StoredBytes() || length > header->StoredBytes() - offset) {
    co_return absl::InvalidArgumentError(
        absl::StrCat("nvme read: ", length, " payload bytes from ", offset, " of ", header->StoredBytes()));
  }
  co_return std::move(staged);
}

void NvmeTier::Release(DiskLocation at, uint64_t record_bytes) { impl_->table.Release(at.region, record_bytes); }

void NvmeTier::SetSpare(DiskLocation at, uint64_t record_bytes, bool spare) {
  impl_->table.SetSpare(at.region, record_bytes, spare);
}

uint64_t NvmeTier::UsableBytes() const {
  const uint64_t regions = impl_->table.count() - kKeptRegions;
  const double share = impl_->options.fill_limit * impl_->sealer.fill_ratio();
  const auto usable = static_cast<uint64_t>(share * static_cast<double>(regions * impl_->options.region_bytes));
  return usable - std::min(usable, impl_->table.tombstone_bytes());
}

bool NvmeTier::Fits(uint64_t record_bytes) const { return record_bytes <= impl_->MaxRecordBytes(); }

bool NvmeTier::HasSpareRegions() const { return impl_->table.free_count() > Reclaimer::kFreeTarget; }

Task<absl::Status> NvmeTier::Flush() {
  Impl* impl = impl_.get();
  CallGuard guard(&impl->calls, &impl->calls_changed);
  absl::Status status = co_await impl->writer.Drain();
  if (status.ok()) status = co_await impl->device->Flush();
  co_return status;
}

Task<void> NvmeTier::Impl::CloseAll() {
  recovery.Stop();
  reclaimer.Stop();
  can_open.Set();
  if (recovering) co_await recovered.Wait();
  if (!recovered.is_set()) {
    if (refusal.ok()) refusal = absl::CancelledError("nvme is shutting down");
    recovered.Set();
  }
  co_await reclaimer.Join();
  co_await writer.Close();
  while (calls > 0) co_await calls_changed.Wait();
}

void NvmeTier::StopRecovery() { impl_->recovery.Stop(); }

Task<absl::Status> NvmeTier::Shutdown(int64_t deadline_ns) {
  Impl* impl = impl_.get();
  if (!impl->closing) {
    impl->closing = true;
    impl->scope.Spawn(impl->CloseAll());
  }
  const bool closed = co_await impl->scope.JoinUntil(deadline_ns);
  const bool stopped = co_await impl->device->Stop(deadline_ns);
  if (closed && stopped) co_return absl::OkStatus();
  co_return absl::DeadlineExceededError(
      absl::StrCat("nvme: operations are still outstanding; last error: ", impl->stats->last_error));
}

std::vector<iovec> NvmeTier::IoMemory() const {
  const MutableBytes writes = impl_->writer.memory();
  const MutableBytes reads = impl_->slots.memory();
  return {{writes.data(), writes.size()}, {reads.data(), reads.size()}};
}

const NvmeStats& NvmeTier::stats() const {
  NvmeStats* stats = impl_->stats.get();
  const RegionTable& table = impl_->table;
  stats->state = !impl_->device->health().serving() ? NvmeState::kSuspended
                 : impl_->recovered.is_set()        ? NvmeState::kServing
                                                    : NvmeState::kRecovering;
  stats->valued_bytes = table.live_bytes() - table.spare_bytes();
  stats->spare_bytes = table.spare_bytes();
  stats->regions_free = table.free_count();
  stats->regions_open = table.CountOf(RegionState::kOpen) + table.CountOf(RegionState::kSealing);
  stats->regions_sealed = table.CountOf(RegionState::kSealed) + table.CountOf(RegionState::kUnknown);
  stats->regions_reclaiming = table.CountOf(RegionState::kReclaiming) + table.CountOf(RegionState::kUnclean);
  return *stats;
}

}  // namespace incipit
