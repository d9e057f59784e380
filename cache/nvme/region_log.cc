#include "cache/nvme/region_log.h"

namespace incipit {

bool RegionLog::HasRoomFor(const TocEntry& entry, uint64_t region_bytes) const {
  const uint64_t records_end = AlignUp(position + AlignUp(entry.RecordBytes(), kRecordAlign), kDiskPageBytes);
  const uint64_t tail_bytes = AlignUp(toc_bytes + entry.EncodedBytes(), kDiskPageBytes) + kDiskPageBytes;
  return tail_bytes <= region_bytes && records_end <= region_bytes - tail_bytes;
}

void RegionLog::DropUnwrittenEntries() {
  while (!entries.empty() && entries.back().offset + entries.back().RecordBytes() > written_end) {
    toc_bytes -= entries.back().EncodedBytes();
    entries.pop_back();
  }
}

}  // namespace incipit
