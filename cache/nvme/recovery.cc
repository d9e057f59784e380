#include "cache/nvme/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/nvme/toc_reader.h"

namespace incipit {
namespace {

// A header or footer that was damaged may have carried the highest number. New lives and records begin well above
// what was found: generations by a random step, so that two restarts cannot come to the same one.
constexpr uint64_t kGenerationStep = 1ull << 40;
constexpr uint64_t kSequenceStep = 1ull << 40;

bool AllZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Recovery::Recovery(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
                   RegionWriter* writer, NvmeTier::Host* host, Random* random, const NvmeOptions& options,
                   NvmeStats* stats)
    : loop_(loop),
      device_(device),
      table_(table),
      stamper_(stamper),
      sealer_(sealer),
      writer_(writer),
      host_(host),
      random_(random),
      depth_(options.recovery_depth),
      tries_(options.suspend_after_errors),
      stats_(stats),
      turn_changed_(loop) {}

void Recovery::StartBlank() {
  for (uint32_t i = 0; i < table_->count(); ++i) table_->Free(i, 0);
  // Not from 1: a device may hold records of an earlier store, and theirs must not look like ours.
  stamper_->set_next_generation((random_->Next() >> 4) + 1);
}

void Recovery::Stop() {
  stopping_ = true;
  device_->health().changed().NotifyAll();
}

Task<bool> Recovery::WaitUntilServing() {
  while (!stopping_ && !device_->health().serving()) co_await device_->health().changed().Wait();
  co_return !stopping_;
}

Task<absl::Status> Recovery::LookAtRegions() {
  found_.resize(table_->count());
  next_ = 0;
  TaskScope workers(loop_);
  for (uint32_t i = 0; i < depth_; ++i) workers.Spawn(LookWorker());
  co_await workers.Join();
  if (!refusal_.ok()) co_return refusal_;
  if (stopping_) co_return absl::CancelledError("nvme recovery was stopped");
  uint64_t max_generation = 0;
  for (uint32_t i = 0; i < table_->count(); ++i) {
    max_generation = std::max(max_generation, found_[i].generation);
    Settle(i);
  }
  const auto by_generation = [this](uint32_t a, uint32_t b) { return found_[a].generation < found_[b].generation; };
  std::sort(sealed_.begin(), sealed_.end(), by_generation);
  std::sort(unsealed_.begin(), unsealed_.end(), by_generation);
  if (max_generation == 0) {
    stamper_->set_next_generation((random_->Next() >> 4) + 1);
  } else {
    stamper_->set_next_generation(max_generation + 1 + random_->Below(kGenerationStep));
  }
  writer_->set_next_sequence(max_sequence_ + kSequenceStep);
  co_return absl::OkStatus();
}

void Recovery::Settle(uint32_t region) {
  const Found& found = found_[region];
  switch (found.kind) {
    case Kind::kForeign:
      ++stats_->foreign_regions;
      [[fallthrough]];
    case Kind::kBlank:
      table_->Free(region, 0);
      break;
    case Kind::kDamaged:
      // Not free before it is stamped: what it holds could become readable again, removed blocks among it.
      ++stats_->damaged_regions;
      table_->Abandon(region);
      break;
    case Kind::kSealed:
      max_sequence_ = std::max(max_sequence_, found.footer.max_sequence);
      table_->SetGeneration(region, found.generation);
      sealed_.push_back(region);
      break;
    case Kind::kUnsealed:
      table_->SetGeneration(region, found.generation);
      unsealed_.push_back(region);
      break;
  }
}

Task<void> Recovery::LookWorker() {
  while (next_ < found_.size() && refusal_.ok() && !stopping_) {
    const auto region = static_cast<uint32_t>(next_++);
    co_await LookAt(region);
  }
}

Task<absl::Status> Recovery::ReadPage(uint32_t region, uint64_t offset, std::vector<uint8_t>* page) {
  for (uint32_t tries = 1;; ++tries) {
    const bool serving = co_await WaitUntilServing();
    if (!serving) co_return absl::CancelledError("nvme recovery was stopped");
    absl::Status status = co_await ReadRegionPage(device_, table_, region, offset, page);
    if (status.ok() || GiveUp(tries)) co_return status;
  }
}

Task<void> Recovery::LookAt(uint32_t region) {
  Found* found = &found_[region];
  std::vector<uint8_t> page;
  absl::Status status = co_await ReadPage(region, 0, &page);
  found->kind = Kind::kDamaged;
  if (!status.ok()) co_return;
  absl::StatusOr<RegionHeader> header = RegionHeader::Decode(page);
  if (absl::IsFailedPrecondition(header.status())) {
    refusal_ = absl::FailedPreconditionError(absl::StrCat("region ", region, ": ", header.status().message()));
    co_return;
  }
  if (!header.ok()) {
    if (AllZero(page)) found->kind = Kind::kBlank;
    co_return;
  }
  if (header->store_id != stamper_->store_id()) {
    found->kind = Kind::kForeign;
    co_return;
  }
  if (header->region != region) co_return;  // written to the wrong place
  found->generation = header->generation;
  found->kind = Kind::kUnsealed;
  status = co_await ReadPage(region, table_->region_bytes() - kDiskPageBytes, &page);
  if (!status.ok()) co_return;
  absl::StatusOr<RegionFooter> footer = RegionFooter::Decode(page);
  if (footer.ok() && FooterMatches(*footer, stamper_->store_id(), region, header->generation)) {
    found->kind = Kind::kSealed;
    found->footer = *footer;
  }
}

Task<absl::Status> Recovery::ReadRecords() {
  next_ = 0;
  {
    TaskScope workers(loop_);
    for (uint32_t i = 0; i < depth_; ++i) workers.Spawn(TocWorker());
    co_await workers.Join();
  }
  for (size_t i = 0; i < unsealed_.size() && !stopping_; ++i) co_await Scan(unsealed_[i]);
  writer_->set_next_sequence(max_sequence_ + 1);
  found_ = {};
  if (stopping_) co_return absl::CancelledError("nvme recovery was stopped");
  co_return absl::OkStatus();
}

Task<void> Recovery::TocWorker() {
  while (next_ < sealed_.size() && !stopping_) {
    const size_t index = next_++;
    const uint32_t region = sealed_[index];
    absl::StatusOr<std::vector<TocEntry>> entries = absl::UnavailableError("not read yet");
    for (uint32_t tries = 1;; ++tries) {
      const bool serving = co_await WaitUntilServing();
      if (!serving) break;
      entries = co_await ReadToc(device_, table_, found_[region].footer);
      if (entries.ok() || absl::IsDataLoss(entries.status()) || GiveUp(tries)) break;
    }
    while (turn_ != index) co_await turn_changed_.Wait();
    if (entries.ok()) {
      table_->SetHasToc(region, true);
      table_->SetState(region, RegionState::kSealed);
      Report(region, *entries);
    } else {
      unsealed_.push_back(region);
    }
    ++turn_;
    turn_changed_.NotifyAll();
  }
}

Task<void> Recovery::Scan(uint32_t region) {
  ScanResult result;
  for (uint32_t tries = 1;; ++tries) {
    const bool serving = co_await WaitUntilServing();
    if (!serving) co_return;
    result = ScanResult{};
    RegionScanner scanner(device_, table_, region, found_[region].generation);
    co_await scanner.Run(&result);
    if (result.status.ok() || GiveUp(tries)) break;
  }
  if (result.damaged) ++stats_->damaged_records;
  if (result.entries.empty()) {
    table_->Abandon(region);
    co_return;
  }
  for (const TocEntry& entry : result.entries) max_sequence_ = std::max(max_sequence_, entry.sequence);
  table_->SetState(region, RegionState::kSealed);
  Report(region, result.entries);
  if (!result.status.ok()) co_return;  // more may be there than could be read: leave it as it is
  auto log = std::make_shared<RegionLog>();
  log->region = region;
  log->generation = found_[region].generation;
  log->position = log->written_end = result.end;
  for (const TocEntry& entry : result.entries) log->toc_bytes += entry.EncodedBytes();
  log->entries = std::move(result.entries);
  sealer_->Start(std::move(log));
}

void Recovery::Report(uint32_t region, const std::vector<TocEntry>& entries) {
  for (const TocEntry& entry : entries) {
    if (entry.kind == RecordKind::kTombstone) {
      table_->AddTombstone(region, entry.RecordBytes());
    } else {
      table_->AddLive(region, entry.RecordBytes());
    }
  }
  for (const TocEntry& entry : entries) {
    ++stats_->recovered_records;
    host_->OnRecovered(entry, DiskLocation{region, entry.offset});
  }
}

}  // namespace incipit
