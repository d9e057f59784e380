// Hands a trace's requests to the workers of a replay.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "bench/common/stopwatch.h"
#include "bench/replay/trace.h"

namespace incipit::bench {

// Which time requests carry, by which a node's policies tell old blocks from new and learn when blocks come back.
enum class ReplayStamps : uint8_t {
  kTrace,  // the trace's own, moved so that its last request is now: policies learn as at the trace's pace
  kNow,    // that of the replay
};

// Each request once, in the trace's order and, at a speed over 0, not before its time. Any thread.
class ReplayQueue {
 public:
  // Stamps of the trace's own time end at `now_ns`, Unix time.
  ReplayQueue(const Trace* trace, double speed, ReplayStamps stamps, uint64_t now_ns);

  struct Taken {
    const TraceRequest* request = nullptr;  // null: there are no more, or Stop() was called
    uint64_t stamp_ns = 0;                  // 0: whatever time it is
  };
  // Sleeps until the next request is due.
  Taken Take();
  void Stop() { stopped_ = true; }
  uint64_t taken() const;
  double SecondsSinceStart() const { return since_start_.Seconds(); }

  // How far back the trace's stamps reach: a node must accept that.
  static uint64_t SpanMs(const Trace& trace);

 private:
  const Trace* trace_;
  double speed_;
  std::vector<uint64_t> stamps_ns_;  // by request; each is newer than the one before; empty: whatever time it is
  Stopwatch since_start_;
  std::atomic<uint64_t> next_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace incipit::bench
