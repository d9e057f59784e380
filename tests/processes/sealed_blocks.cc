#include "tests/processes/sealed_blocks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"
#include "cache/format/region.h"
#include "fmt/format.h"

namespace incipit::campaign {
namespace {

class RegionFile {
 public:
  explicit RegionFile(const std::string& path)
      : path_(path), fd_(open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC)) {}
  ~RegionFile() {
    if (fd_ >= 0) close(fd_);
  }
  // `offset` and `bytes` are multiples of the page size.
  absl::StatusOr<std::vector<uint8_t>> Read(uint64_t offset, uint64_t bytes) const {
    std::unique_ptr<uint8_t, void (*)(void*)> buffer(static_cast<uint8_t*>(std::aligned_alloc(kDiskPageBytes, bytes)),
                                                     std::free);
    const ssize_t got = pread(fd_, buffer.get(), bytes, static_cast<off_t>(offset));
    if (got != static_cast<ssize_t>(bytes)) {
      return absl::DataLossError(fmt::format("{}: read of {} bytes at {}: {}", path_, bytes, offset,
                                             got < 0 ? std::strerror(errno) : "short"));
    }
    return std::vector<uint8_t>(buffer.get(), buffer.get() + bytes);
  }

 private:
  std::string path_;
  int fd_;
};

struct Newest {
  uint64_t sequence = 0;
  bool tombstone = false;
};

// The table of contents of region `region`, empty if it is not sealed.
absl::StatusOr<std::vector<TocEntry>> SealedEntries(const RegionFile& file, const Superblock& store, uint32_t region) {
  const uint64_t start = kFirstRegionOffset + region * store.region_bytes;
  const uint64_t footer_at = store.region_bytes - kDiskPageBytes;
  ASSIGN_OR_RETURN(const std::vector<uint8_t> header_page, file.Read(start, kDiskPageBytes));
  ASSIGN_OR_RETURN(const std::vector<uint8_t> footer_page, file.Read(start + footer_at, kDiskPageBytes));
  const absl::StatusOr<RegionHeader> header = RegionHeader::Decode(header_page);
  const absl::StatusOr<RegionFooter> footer = RegionFooter::Decode(footer_page);
  if (!header.ok() || !footer.ok()) return std::vector<TocEntry>{};
  const bool same_life = header->store_id == store.store_id && footer->store_id == store.store_id &&
                         header->region == region && footer->region == region &&
                         header->generation == footer->generation;
  if (!same_life || footer->toc_bytes == 0) return std::vector<TocEntry>{};
  if (footer->toc_offset > footer_at || footer->toc_bytes > footer_at - footer->toc_offset) {
    return absl::DataLossError(fmt::format("region {}: table of contents does not fit", region));
  }
  ASSIGN_OR_RETURN(std::vector<uint8_t> toc,
                   file.Read(start + footer->toc_offset, AlignUp(footer->toc_bytes, kDiskPageBytes)));
  toc.resize(footer->toc_bytes);
  // A footer is written after its table: one with the wrong checksum would be a fault of the node.
  if (Xxh3Of(toc) != footer->toc_checksum) {
    return absl::DataLossError(fmt::format("region {}: sealed table of contents has a wrong checksum", region));
  }
  return DecodeToc(toc, footer->entry_count, store.region_bytes);
}

}  // namespace

absl::Status AddSealedBlocks(const std::string& path, SealedBlocks* out) {
  const RegionFile file(path);
  ASSIGN_OR_RETURN(const std::vector<uint8_t> page, file.Read(0, kDiskPageBytes));
  ASSIGN_OR_RETURN(const Superblock store, Superblock::Decode(page));
  std::map<std::string, Newest> newest;
  for (uint32_t region = 0; region < store.region_count; ++region) {
    ASSIGN_OR_RETURN(const std::vector<TocEntry> entries, SealedEntries(file, store, region));
    out->regions += !entries.empty();
    out->records += entries.size();
    for (const TocEntry& entry : entries) {
      Newest& known = newest[std::string(AsText(entry.identity))];
      if (entry.sequence <= known.sequence) continue;
      known = {entry.sequence, entry.kind == RecordKind::kTombstone};
    }
  }
  for (const auto& [identity, record] : newest) {
    if (!record.tombstone) out->live[identity] = record.sequence;
  }
  return absl::OkStatus();
}

}  // namespace incipit::campaign
