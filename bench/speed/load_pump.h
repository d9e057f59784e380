// Workers that keep asking one node for loads, all on the calling thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/speed/bench_rig.h"

namespace incipit::bench {

// What became of the loads that a LoadPump asked for.
struct PumpResult {
  double seconds = 0;
  uint64_t asked = 0;
  uint64_t served = 0;
  uint64_t refused = 0;
  uint64_t refused_by_node = 0;  // the others by the client, which knew when the node wants to be asked again
  uint64_t served_bytes = 0;     // verified by the client
  uint64_t wrong_bytes = 0;      // found in the loads that were compared byte by byte, every eighth
  uint64_t failures = 0;
  double served_s = 0;  // from asking to the answer, summed over those served

  void Add(const PumpResult& other);  // of another thread, at the same time
  // Loads in progress, on average (Little's law).
  double InProgress() const { return served_s / seconds; }
  double GbPerSecond() const { return static_cast<double>(served_bytes) / 1e9 / seconds; }
  double AskedPerSecond() const { return static_cast<double>(asked) / seconds; }
};

// One thread. Polls, in turn, all clients that wait for an answer, and never sleeps.
class LoadPump {
 public:
  // Loads of `blocks_per_load` blocks each, going round in `set`. `buffer` has room for one load of each worker.
  LoadPump(const BlockSet* set, size_t blocks_per_load, MutableBytes buffer)
      : set_(set), blocks_per_load_(blocks_per_load), buffer_(buffer) {}

  // A worker for each client (kCaller, no retries of its own) asks for `seconds`, `at_once` of them at the same time
  // and in turn: again once it has its answer, but not before `pause_ns` after it last asked.
  PumpResult Run(std::span<const std::unique_ptr<Client>> clients, size_t at_once, int64_t pause_ns, double seconds);

 private:
  struct Worker {
    Client* client = nullptr;
    bool waiting = false;  // for its answer
    int64_t asked_ns = 0;
    int64_t next_ns = 0;  // not before
  };
  void PollWaiting();
  void Ask(size_t index);
  void Answered(size_t index, std::span<const PlannedBlock> blocks, ByteView into,
                const absl::StatusOr<LoadResult>& result);
  std::span<const PlannedBlock> NextBlocks();

  const BlockSet* set_;
  size_t blocks_per_load_;
  MutableBytes buffer_;
  std::vector<Worker> workers_;
  int64_t pause_ns_ = 0;
  size_t next_ = 0;    // block
  size_t turn_ = 0;    // worker
  size_t asking_ = 0;  // workers that wait for an answer
  PumpResult result_;
};

}  // namespace incipit::bench
