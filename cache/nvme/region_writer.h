// Appends records to the open region through large write buffers, and moves on to the next region when it is full.
#pragma once

#include <sys/uio.h>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/region_log.h"
#include "cache/nvme/region_sealer.h"
#include "cache/nvme/region_stamper.h"

namespace incipit {

// How one record is to be appended.
struct AppendRules {
  bool for_reclaim = false;  // may use the reserved region, and keeps the sequence that the entry carries
  // Asked in the moment that the record gets its place, when nothing else can come between; false: Cancelled.
  std::function<bool()> still_wanted;
};

// Owner: the tier. Thread: the shard's. Copies each record, so that the caller's memory is free when Append ends,
// whatever the device does.
class RegionWriter {
 public:
  RegionWriter(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
               const NvmeOptions& options);

  // Ends when the record and all before it in the region are on the device. Errors: Unavailable (device),
  // ResourceExhausted (no free region, and `reclaim_can_help` says that none will come), Cancelled.
  // `entry` and `pieces` must outlive the task.
  Task<absl::StatusOr<DiskLocation>> Append(TocEntry* entry, std::span<const iovec> pieces, const AppendRules* rules);

  // Writes out what is gathered and waits until it is on the device.
  Task<absl::Status> Drain();
  // Seals the open region and waits for its end. Nothing is appended afterwards.
  Task<void> Close();

  // Lets appends that wait for space or buffers look again.
  void Wake();
  void set_reclaim_can_help(std::function<bool()> function) { reclaim_can_help_ = std::move(function); }
  // Does an append that is not reclaim's own wait for a free region?
  bool WaitsForSpace() const { return waiting_for_space_ > 0; }
  void set_next_sequence(uint64_t sequence) { next_sequence_ = std::max(next_sequence_, sequence); }
  MutableBytes memory() const { return buffers_.memory(); }

 private:
  struct IdleTimer : Timer {
    explicit IdleTimer(RegionWriter* owner) : writer(owner) {}
    void OnTimer() override { writer->SubmitChunk(); }
    RegionWriter* writer;
  };
  enum class Room : uint8_t { kHere, kWait, kOpenNext };

  Room FindRoom(const TocEntry& entry, bool for_reclaim) const;
  // A region with room for the entry is open, or an error. REQUIRES: the place lock is held; it is let go while
  // waiting for reclaim.
  Task<absl::Status> MakeRoom(const TocEntry* entry, bool for_reclaim);
  Task<absl::Status> OpenNext();
  Task<absl::Status> Place(AppendWaiter* waiter, TocEntry* entry, std::span<const iovec> pieces, bool keep_sequence);
  Task<absl::Status> CopyIn(std::shared_ptr<RegionLog> log, ByteView bytes);
  Task<absl::Status> NewChunk(RegionLog* log);
  void StartIdleTimer();
  void SubmitChunk();
  Task<void> WriteOut(std::shared_ptr<WriteChunk> chunk);
  void Acknowledge(RegionLog* log);
  void Fail(RegionLog* log, const absl::Status& status);
  void LeaveRegion();

  Loop* loop_;
  Device* device_;
  RegionTable* table_;
  RegionStamper* stamper_;
  RegionSealer* sealer_;
  WriteBuffers buffers_;
  IdleTimer idle_timer_;
  Semaphore place_lock_;
  std::function<bool()> reclaim_can_help_;
  std::shared_ptr<RegionLog> log_;                   // the open region
  std::shared_ptr<WriteChunk> chunk_;                // being gathered; its log is log_
  std::shared_ptr<WriteChunk> last_;                 // submitted last in log_
  std::array<uint8_t, kDiskPageBytes> tail_page_{};  // the page that log_->position lies in, up to there
  int64_t chunk_started_ns_ = 0;
  uint64_t next_sequence_ = 1;
  uint32_t waiting_for_space_ = 0;
  bool closed_ = false;
  TaskScope scope_;
};

}  // namespace incipit
