// Which loads a shard takes on, what it tells the others, and how much the sessions in progress send at a time.
// Belongs to the shard's thread.
#pragma once

#include <cstdint>

#include "cache/runtime/loop.h"
#include "cache/runtime/sync.h"
#include "cache/runtime/task.h"
#include "cache/shard/shard_options.h"

namespace incipit {

// Part of admission that belongs to one session.
struct LoadCaller {
  uint32_t loads = 0;          // in progress
  int64_t appointment_ns = 0;  // when it was told to ask again; 0 = it was served since, or never refused
};

class LoadAdmission {
 public:
  LoadAdmission(Loop* loop, const ShardLimits& limits);

  // Whether one more load of `caller` would be let in, whatever its bytes. Asked before the request is decoded, since
  // refusing must cost little, or it takes from those who are served.
  bool MayLoad(const LoadCaller& caller) const;
  // Takes on a load of `bytes`, or changes nothing and returns false: answer busy with Refuse().
  bool Admit(uint64_t bytes, LoadCaller* caller);
  // Whether clients' stores are taken as well. They are not once three quarters of a limit are taken: a block that is
  // not stored costs a miss later, a load that is refused costs one now, so stores give way before any load does.
  bool MayStore() const;
  // Gives `caller` an appointment; returns the time until then.
  uint32_t Refuse(LoadCaller* caller);
  // So many of the admitted bytes were sent or given up.
  void Progress(uint64_t bytes);
  // A load of `caller` that was admitted has ended.
  void End(LoadCaller* caller);

  // What a session should send at a time, so that no request waits long behind what all of them send.
  uint64_t TransferBytes() const;
  // Waits until no load is in progress, but not for long.
  Task<void> YieldToLoads();

  uint32_t loads() const { return loads_; }
  uint64_t load_bytes() const { return load_bytes_; }

 private:
  bool HasAppointmentNow(const LoadCaller& caller) const;

  Loop* loop_;
  const ShardLimits& limits_;
  uint32_t loads_ = 0;
  uint32_t sessions_loading_ = 0;
  uint64_t load_bytes_ = 0;
  int64_t next_appointment_ns_ = 0;  // the last one given
  double bytes_per_ns_ = 1.0;        // moving averages: of what loads send,
  double bytes_per_load_ = 0;        // and of what they ask for
  int64_t last_progress_ns_ = 0;
  uint64_t progress_bytes_ = 0;
  Event idle_;
};

}  // namespace incipit
