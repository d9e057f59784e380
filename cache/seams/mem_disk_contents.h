// What a simulated device holds: pages that survive a loss of power, and writes that sit in its volatile cache.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "cache/base/bytes.h"
#include "cache/seams/random.h"

namespace incipit {

// Sparse: only pages ever written take memory, so a capacity of terabytes is cheap. Lives longer than the MemDisk on
// it: after a crash, make a new MemDisk on the same contents. One thread only.
class MemDiskContents {
 public:
  explicit MemDiskContents(uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}
  uint64_t capacity_bytes() const { return capacity_bytes_; }

  // What a read finds now: ended writes, durable or not. Zeros where nothing was written.
  void Read(uint64_t offset, MutableBytes into) const;
  // Bit rot: turns one bit, durably.
  void FlipBit(uint64_t offset, int bit);
  // Puts bytes there at once, durably: what another process left on the device.
  void Overwrite(uint64_t offset, ByteView bytes);

  // A write is visible from its end on; between its begin and a flush, a crash may keep any of its sectors.
  uint64_t BeginWrite(uint64_t offset, ByteView from);
  // REQUIRES: `from` still holds what it held at the begin (checked; aborts: the buffer was reused too early).
  void EndWrite(uint64_t ticket, ByteView from);
  // A flush makes durable what had ended at its begin.
  uint64_t BeginFlush() const { return ended_; }
  void EndFlush(uint64_t point);

  // Loss of power: each page of each write not flushed is kept, lost, or torn between its 512-byte sectors.
  void Crash(Random* random);
  uint64_t unflushed_writes() const { return unflushed_.size() + in_flight_.size(); }

 private:
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kSectorBytes = 512;
  using Page = std::array<uint8_t, kPageBytes>;
  using PageRef = std::shared_ptr<const Page>;  // never changed once made, so that images share pages
  using Image = absl::flat_hash_map<uint64_t, PageRef>;
  struct PendingWrite {
    uint64_t first_page = 0;
    std::vector<PageRef> pages;
    uint64_t end_serial = 0;
  };
  void Keep(Random* random, const PendingWrite& write);
  static void ReadImage(const Image& image, uint64_t offset, MutableBytes into);

  uint64_t capacity_bytes_;
  Image durable_;
  Image current_;
  std::map<uint64_t, PendingWrite> in_flight_;
  std::vector<PendingWrite> unflushed_;  // in the order in which they ended
  uint64_t next_ticket_ = 1;
  uint64_t ended_ = 0;
};

}  // namespace incipit
