// The NVMe tier of one shard: a log of regions on one Disk. It stores and finds records by location; which blocks are
// worth keeping is the shard's business, told through Host. docs/disk_format.md has the bytes.
//
// Thread: the shard's, always. Every path is a Task on the shard's loop.
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/format/region.h"
#include "cache/runtime/loop.h"
#include "cache/runtime/task.h"
#include "cache/seams/disk.h"
#include "cache/seams/random.h"

namespace incipit {

// Where a record lies. Stable until the record is moved (Host::OnMoved) or given up.
struct DiskLocation {
  uint32_t region = UINT32_MAX;
  uint32_t offset = 0;  // bytes from the start of the region, multiple of kRecordAlign
  bool valid() const { return region != UINT32_MAX; }
  friend bool operator==(const DiskLocation&, const DiskLocation&) = default;
};

struct NvmeOptions {
  uint32_t shard = 0;
  uint32_t shard_count = 1;
  uint64_t region_bytes = 256 << 20;
  uint64_t write_buffer_bytes = 4 << 20;  // one large write; two or more are kept in rotation
  uint32_t write_buffers = 4;
  uint64_t read_slot_bytes = 1 << 20;  // one registered read; a record takes as many slots as it needs
  uint32_t read_slots = 64;            // bound of read memory and depth
  double fill_limit = 0.94;            // share of the space that valued records may take; the rest lets reclaim work
  uint64_t read_timeout_ms = 2000;     // a read slower than this is a miss, its buffer is kept until it ends
  uint64_t write_timeout_ms = 10000;   // the same for writes and flushes: not stored, and the region is left
  uint32_t suspend_after_errors = 8;   // consecutive errors or timeouts that take the device out of service
  uint64_t probe_interval_ms = 1000;   // how often an out-of-service device is tried
  uint32_t recovery_depth = 16;        // regions read at once at start-up
};

enum class NvmeState : uint8_t { kRecovering = 0, kServing = 1, kSuspended = 2 };

struct NvmeStats {
  NvmeState state = NvmeState::kRecovering;
  std::string last_error;  // cause of the last suspension or failure, with operation and offset
  // Records are counted as they lie on the device, in multiples of kRecordAlign.
  uint64_t capacity_bytes = 0;  // regions * region_bytes
  uint64_t valued_bytes = 0;    // records neither released nor spare
  uint64_t spare_bytes = 0;     // records that are in RAM too
  uint32_t regions_free = 0, regions_open = 0, regions_sealed = 0, regions_reclaiming = 0;
  uint64_t bytes_written = 0, bytes_read = 0, bytes_reinserted = 0, regions_reclaimed = 0;
  uint64_t read_errors = 0, write_errors = 0, flush_errors = 0, timeouts = 0, damaged_records = 0, suspensions = 0;
  uint64_t recovered_records = 0, foreign_regions = 0, damaged_regions = 0;
};

// Bytes of one record in read slots. Move-only; gives the slots back when destroyed, so it must outlive any send of
// its pieces. Destroy before the tier.
class StagedRead {
 public:
  StagedRead();
  StagedRead(StagedRead&& other) noexcept;
  StagedRead& operator=(StagedRead&& other) noexcept;
  ~StagedRead();
  // The whole encoded header, contiguous.
  ByteView header() const;
  // The payload range asked for, in order.
  std::span<const iovec> payload() const;

 private:
  friend class NvmeTier;
  struct State;
  std::unique_ptr<State> state_;
};

class NvmeTier {
 public:
  // The shard. Called on its thread, never from inside one of its own calls into the tier except where said. It may
  // call Release and SetSpare from any of these.
  class Host {
   public:
    virtual ~Host() = default;
    // Start-up: a record (or tombstone) found. Any order; the higher entry.sequence is the newer. Of two with the same
    // sequence, which are copies of one record, keep the one reported first. Every block reported counts as live:
    // Release the copies that are not kept. Tombstones are the tier's to keep: never Release them.
    virtual void OnRecovered(const TocEntry& entry, DiskLocation at) = 0;
    virtual void OnRecoveryDone() = 0;
    // Reclaim: is the record at `at` still the copy that the index points to, and not spare?
    virtual bool StillValued(ByteView identity, DiskLocation at) = 0;
    // Reclaim rewrote a record: point to `to`. False if nobody wants it any more: the tier then releases the new copy.
    // The copy at `to` counts as not spare: if the block came to RAM meanwhile, SetSpare(to). `from` needs nothing.
    virtual bool OnMoved(ByteView identity, DiskLocation from, DiskLocation to) = 0;
    // The record at `at` is gone: its region is reclaimed and it was not valued, spare, or damaged.
    virtual void OnDropped(ByteView identity, DiskLocation at) = 0;
    // The region is gone, and its table of contents was damaged, so that OnDropped cannot name all its records: forget
    // every copy that still lies in it. Rare; may cost a pass over the index.
    virtual void OnRegionDropped(uint32_t region) { (void)region; }
  };

  // Reads or creates the superblock; does not scan. FailedPrecondition: unknown version, or made for another shard
  // count or region size (the message says which and what to do). The disk and host must outlive the tier.
  static Task<absl::StatusOr<std::unique_ptr<NvmeTier>>> Open(Loop* loop, Disk* disk, Random* random, Host* host,
                                                              NvmeOptions options);
  ~NvmeTier();  // REQUIRES: Shutdown() ended

  // Scans all regions: headers first, then tables of contents in parallel, then the open regions record by record.
  // Reads and appends are served meanwhile. Ends with Host::OnRecoveryDone.
  Task<absl::Status> Recover();

  // Writes one record: `entry` says what it is (offset, sequence and header's stamp fields are set here), `pieces`
  // are its header and payload, unchanged until the task ends. Waits for buffer space and free regions; ends when
  // the device has the bytes (Flush makes them survive a loss of power, and so does the sealing of the region).
  // Unavailable / ResourceExhausted: not stored. InvalidArgument: does not fit a region, or pieces and entry differ.
  // A tombstone (no payload) needs no Release: the tier keeps it as long as an older copy may lie on the device.
  Task<absl::StatusOr<DiskLocation>> Append(TocEntry entry, std::span<const iovec> pieces);

  // Reads the header and payload bytes [offset, offset + length) of a record. Checks that the header is intact and
  // carries `identity`; payload checksums are the caller's. DataLoss: damaged or another record. Unavailable: the
  // device failed or is out of service. DeadlineExceeded: slower than `deadline_ns` or the read timeout.
  // ResourceExhausted: no read slots and `deadline_ns` (or the read timeout) passed while waiting. `identity` must
  // outlive the task.
  Task<absl::StatusOr<StagedRead>> Read(DiskLocation at, uint32_t header_bytes, ByteView identity, uint64_t offset,
                                        uint64_t length, int64_t deadline_ns);

  // The copy at `at` (of `record_bytes`, header and payload) is not needed any more. If it is marked spare, call
  // SetSpare(at, record_bytes, false) first.
  void Release(DiskLocation at, uint64_t record_bytes);
  // The block is (not) in RAM too: reclaim may drop this copy without losing the block.
  void SetSpare(DiskLocation at, uint64_t record_bytes, bool spare);

  // Bytes that valued records may take, and whether a record of `bytes` can ever be stored. Moves a little as the tier
  // learns how well records of these sizes fill a region.
  uint64_t UsableBytes() const;
  bool Fits(uint64_t record_bytes) const;
  // True while plain writing needs no reclaim: when false, only demotions are worth writing.
  bool HasSpareRegions() const;

  // Writes out partly filled buffers (padding to a page) and flushes the device.
  Task<absl::Status> Flush();
  // Ends Recover() with Cancelled, soon; at once where it waits for a device that is out of service. Shutdown() does
  // too.
  void StopRecovery();
  // Stops reclaim and probing, seals the open region, waits for everything outstanding. A hung device makes it wait
  // until `deadline_ns`; DeadlineExceeded then: the process should exit without destroying the tier (or call again).
  Task<absl::Status> Shutdown(int64_t deadline_ns);

  // All memory that the device reads into or writes from, to register with the ring (UringLoop::RegisterBuffers).
  std::vector<iovec> IoMemory() const;

  const NvmeStats& stats() const;

 private:
  NvmeTier();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit
