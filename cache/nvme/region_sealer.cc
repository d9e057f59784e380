#include "cache/nvme/region_sealer.h"

#include <algorithm>
#include <utility>

#include "cache/base/xxh3.h"
#include "cache/nvme/pinned_buffer.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {

void RegionSealer::Start(std::shared_ptr<RegionLog> log) {
  table_->SetState(log->region, RegionState::kSealing);
  scope_.Spawn(Seal(std::move(log)));
}

Task<void> RegionSealer::Seal(std::shared_ptr<RegionLog> log) {
  while (!log->in_flight.empty()) co_await table_->changed().Wait();
  const bool filled = log->failure.ok() && log->position > table_->region_bytes() / 2;
  log->DropUnwrittenEntries();
  if (log->entries.empty()) {
    table_->Abandon(log->region);
    co_return;
  }
  if (filled) {
    const auto data_bytes = static_cast<double>(log->written_end - kDiskPageBytes);
    fill_ratio_ = 0.75 * fill_ratio_ + 0.25 * data_bytes / static_cast<double>(table_->region_bytes());
  }
  absl::Status status = co_await device_->Flush();
  if (status.ok()) status = co_await WriteToc(log.get());
  if (status.ok()) status = co_await device_->Flush();
  table_->SetHasToc(log->region, status.ok());
  table_->SetState(log->region, RegionState::kSealed);
}

Task<absl::Status> RegionSealer::WriteToc(RegionLog* log) {
  const std::vector<uint8_t> toc = EncodeToc(log->entries);
  const uint64_t padded_bytes = AlignUp(toc.size(), kDiskPageBytes);
  RegionFooter footer;
  footer.store_id = stamper_->store_id();
  footer.region = log->region;
  footer.generation = log->generation;
  footer.toc_offset = table_->region_bytes() - kDiskPageBytes - padded_bytes;
  footer.toc_bytes = toc.size();
  footer.entry_count = static_cast<uint32_t>(log->entries.size());
  for (const TocEntry& entry : log->entries) footer.max_sequence = std::max(footer.max_sequence, entry.sequence);
  footer.toc_checksum = Xxh3Of(toc);
  const std::vector<uint8_t> page = footer.Encode();
  if (footer.toc_offset < log->written_end) co_return absl::InternalError("no room for the table of contents");

  auto buffer = std::make_shared<PinnedBuffer>(padded_bytes + kDiskPageBytes, table_, log->region);
  std::copy(toc.begin(), toc.end(), buffer->bytes().begin());
  std::copy(page.begin(), page.end(), buffer->bytes().begin() + padded_bytes);
  const uint64_t start = RegionStart(log->region, table_->region_bytes()) + footer.toc_offset;
  DeviceOpRef write = device_->StartWrite(start, buffer->bytes(), buffer);
  co_await write->done.Wait();
  co_return write->status;
}

}  // namespace incipit
