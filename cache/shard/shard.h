// One shard: a slice of the key space with its blocks, leases and sessions. Sees the world only through its loop,
// random source, disk and channels, so a test can run many in one thread, in virtual time, with faults.
// One thread: that of its loop.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/shard/block_store.h"
#include "cache/shard/latency_histogram.h"
#include "cache/shard/lease_table.h"
#include "cache/shard/shard_counters.h"
#include "cache/shard/shard_options.h"
#include "transport/frame_channel.h"

namespace incipit {

class Session;

class Shard {
 public:
  // Everything passed must outlive the shard. `disk` may be null.
  static Task<absl::StatusOr<std::unique_ptr<Shard>>> Open(Loop* loop, Random* random, Disk* disk,
                                                           ShardOptions options);
  ~Shard();  // REQUIRES: Shutdown() ended

  // Starts indexing NVMe; the shard serves meanwhile.
  void StartRecovery();
  // Takes over a connection whose Hello has been received, and serves it until it ends.
  void Adopt(std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t hello_request_id);
  // Cuts all sessions, seals NVMe. A hung device delays it until `deadline_ns` at most.
  Task<absl::Status> Shutdown(int64_t deadline_ns);

  BlockStore* store() { return store_.get(); }
  LeaseTable* leases() { return &leases_; }
  Loop* loop() { return loop_; }
  const ShardOptions& options() const { return options_; }
  ShardCounters* counters() { return &counters_; }
  // Everything countable, by metric name. Cheap enough to call every second.
  ShardReport Report() const;
  // OK, or why indexing NVMe ended early; the shard serves without it.
  const absl::Status& recovery_status() const { return recovery_status_; }

  // A stamp that a request may carry: the client's, kept within what is plausible, or now.
  uint64_t ClampStamp(uint64_t stamp_ns) const;

  // Leases.
  uint64_t AddLease(uint64_t session, uint32_t lease_ms, std::vector<BlockId> blocks);
  void EndLease(uint64_t session, uint64_t lease_id);

  // Admission of loads. False: over a limit; answer busy with NextAppointmentUs(). `session_loads`: in progress
  // already.
  bool MayLoad(uint32_t session_loads) const;
  bool AdmitLoad(uint64_t bytes, uint32_t session_loads);
  void LoadProgress(uint64_t bytes);  // so many of the admitted bytes were sent or given up
  void EndLoad(uint32_t session_loads_left);
  // What a session should send at a time, so that no request waits long behind what all of them send.
  uint64_t TransferBytes() const;
  // When somebody who is refused now should ask again, from now. Each call gives a later time.
  uint32_t NextAppointmentUs();
  // Stores let loads pass: waits, but not for long, while loads are in progress.
  Task<void> YieldToLoads();

 private:
  friend class Session;
  Shard(Loop* loop, ShardOptions options);
  Task<void> RunSession(std::unique_ptr<Session> session, uint64_t hello_request_id);
  Task<void> RunRecovery();
  Task<void> ExpireLeases();
  void UnpinAll(const std::vector<BlockId>& blocks);

  Loop* loop_;
  ShardOptions options_;
  std::unique_ptr<BlockStore> store_;
  LeaseTable leases_;
  uint64_t pinned_bytes_ = 0;
  std::vector<Session*> sessions_;
  uint64_t next_session_id_ = 1;
  uint32_t loads_ = 0;
  uint32_t sessions_loading_ = 0;
  int64_t next_appointment_ns_ = 0;
  uint64_t load_bytes_ = 0;
  double bytes_per_ns_ = 1.0;  // moving average of what loads send
  int64_t last_progress_ns_ = 0;
  uint64_t progress_bytes_ = 0;
  ShardCounters counters_;
  Event loads_idle_;
  Event stop_;
  Event lease_added_;
  absl::Status recovery_status_;
  bool stopping_ = false;
  TaskScope tasks_;
};

}  // namespace incipit
