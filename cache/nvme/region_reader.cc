#include "cache/nvme/region_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {

void WindowRead::Slice(uint64_t from, uint64_t bytes, std::vector<iovec>* out) const {
  const size_t which = from >= windows_[0].start && from < windows_[0].end ? 0 : 1;
  const ReadWindow& window = windows_[which];
  INCIPIT_CHECK(bytes == 0 || (from >= window.start && from <= window.end && bytes <= window.end - from),
                "a slice lies within one window");
  uint64_t at = from - window.start;
  while (bytes > 0) {
    const uint32_t slot = slots_[first_slot_[which] + at / pool_->slot_bytes()];
    const uint64_t within = at % pool_->slot_bytes();
    const uint64_t count = std::min(bytes, pool_->slot_bytes() - within);
    out->push_back({pool_->At(slot).data() + within, count});
    at += count;
    bytes -= count;
  }
}

Task<absl::StatusOr<std::shared_ptr<WindowRead>>> RegionReader::Read(uint32_t region, ReadWindow first,
                                                                     ReadWindow second, int64_t deadline_ns) {
  auto read = std::make_shared<WindowRead>(pool_, table_, region);
  read->windows_ = {first, second};
  const uint64_t slot_bytes = pool_->slot_bytes();
  const uint64_t first_slots = (first.end - first.start + slot_bytes - 1) / slot_bytes;
  const uint64_t second_slots = (second.end - second.start + slot_bytes - 1) / slot_bytes;
  read->first_slot_ = {0, static_cast<uint32_t>(first_slots)};
  INCIPIT_CHECK(first_slots + second_slots <= pool_->count(), "a read fits the slots");
  const int64_t slots_until_ns = std::min(deadline_ns, loop_->NowNs() + slot_wait_ns_);
  const bool got = co_await pool_->Acquire(first_slots + second_slots, slots_until_ns, &read->slots_);
  if (!got) {
    co_return absl::ResourceExhaustedError(absl::StrCat("nvme: all ", pool_->count(), " read slots were in use"));
  }
  Start(read, region);
  absl::Status status;
  for (const DeviceOpRef& op : read->ops_) {
    const bool done = co_await op->done.WaitUntil(deadline_ns);
    if (!done) status = absl::DeadlineExceededError(absl::StrCat("nvme: read at ", op->offset, " missed its deadline"));
    if (done && !op->status.ok()) status = op->status;
    if (!status.ok()) break;
  }
  if (!status.ok()) co_return status;
  read->ops_.clear();
  co_return read;
}

void RegionReader::Start(const std::shared_ptr<WindowRead>& read, uint32_t region) {
  const uint64_t region_start = RegionStart(region, table_->region_bytes());
  for (size_t which = 0; which < read->windows_.size(); ++which) {
    const ReadWindow& window = read->windows_[which];
    uint32_t slot = read->first_slot_[which];
    for (uint64_t at = window.start; at < window.end; at += pool_->slot_bytes(), ++slot) {
      const uint64_t bytes = std::min(pool_->slot_bytes(), window.end - at);
      read->ops_.push_back(device_->StartRead(region_start + at, pool_->At(read->slots_[slot]).first(bytes), read));
    }
  }
}

}  // namespace incipit
