// One region while it is being written: its records so far and the writes on their way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "cache/format/region.h"
#include "cache/nvme/region_table.h"
#include "cache/nvme/write_buffers.h"
#include "cache/runtime/sync.h"

namespace incipit {

// An Append that waits for its bytes to be on the device. Lives in that task's frame.
struct AppendWaiter {
  explicit AppendWaiter(Loop* loop) : done(loop) {}
  Event done;
  absl::Status status;
  uint64_t record_bytes = 0;
  bool tombstone = false;
};

struct RegionLog;

// One large write: whole pages of a region, gathered in one write buffer.
struct WriteChunk {
  WriteChunk(Loop* loop, RegionTable* table, std::shared_ptr<RegionLog> owner, WriteBuffer memory, uint64_t start);
  uint64_t End() const { return start + filled; }

  std::shared_ptr<RegionLog> log;
  WriteBuffer buffer;
  RegionPin pin;
  uint64_t start;       // from the start of the region, page aligned
  uint64_t filled = 0;  // bytes of `buffer` in use
  // The write before it, if both hold parts of one page: they must not be on their way at once, or the older could
  // land last.
  std::shared_ptr<WriteChunk> shares_page_with;
  std::vector<AppendWaiter*> waiters;  // appends whose last byte is here
  bool ended = false;
  absl::Status status;
  Event done;
};

// Records are acknowledged in their order in the region, so that what recovery finds, going record by record until
// the first gap, includes all of them.
struct RegionLog {
  uint32_t region = 0;
  uint64_t generation = 0;
  bool from_reserve = false;              // opened with the last free region: for reclaim only, while none is free
  uint64_t position = kDiskPageBytes;     // where the next record begins
  uint64_t written_end = kDiskPageBytes;  // all before it is on the device
  uint64_t toc_bytes = 0;
  std::vector<TocEntry> entries;
  std::deque<std::shared_ptr<WriteChunk>> in_flight;  // submitted, in order of their place
  absl::Status failure;                               // of a write: nothing is added or acknowledged any more

  // Room for one more record, with what the table of contents and the footer will take set aside.
  bool HasRoomFor(const TocEntry& entry, uint64_t region_bytes) const;
  // Entries of records that are whole on the device.
  void DropUnwrittenEntries();
};

inline WriteChunk::WriteChunk(Loop* loop, RegionTable* table, std::shared_ptr<RegionLog> owner, WriteBuffer memory,
                              uint64_t from)
    : log(std::move(owner)), buffer(std::move(memory)), pin(table, log->region), start(from), done(loop) {}

}  // namespace incipit
