// Several LoadPumps, each with workers and a thread of its own, that work at the same time.
#pragma once

#include <barrier>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/speed/load_pump.h"

namespace incipit::bench {

struct PumpPlan {
  size_t threads = 1;
  size_t workers = 1;  // a multiple of `threads`; each has a connection of its own
  size_t blocks_per_load = 1;
};

// Owner: one thread, the only one that may call. `rig` and `set` must outlive it.
class LoadPumps {
 public:
  // Connects every worker. `buffer` has room for one load of each.
  static absl::StatusOr<std::unique_ptr<LoadPumps>> Create(const BenchRig* rig, const BlockSet* set,
                                                           const PumpPlan& plan, MutableBytes buffer);
  ~LoadPumps();

  // As LoadPump::Run, all threads together; `at_once` must be a multiple of the threads.
  PumpResult Run(size_t at_once, int64_t pause_ns, double seconds);

 private:
  struct Part {
    absl::Status connected;
    PumpResult result;
    std::thread thread;
  };
  LoadPumps(const BenchRig* rig, const BlockSet* set, const PumpPlan& plan, MutableBytes buffer);
  void Loop(size_t index);  // a client's work is done on the thread that made it

  const BenchRig* rig_;
  const BlockSet* set_;
  PumpPlan plan_;
  MutableBytes buffer_;
  std::barrier<> start_, end_;  // of each run; all threads and the owner
  size_t at_once_ = 0;
  int64_t pause_ns_ = 0;
  double seconds_ = 0;
  bool stopping_ = false;
  std::vector<Part> parts_;
};

}  // namespace incipit::bench
