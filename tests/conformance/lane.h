// What the conformance suite needs of a lane: a loop, a way to listen and to connect, and memory for buffers. A new
// lane is one class that derives from Lane and one line in lanes.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/base/bytes.h"
#include "cache/runtime/run_task.h"
#include "tests/support/campaign.h"
#include "transport/stream.h"

namespace incipit::conformance {

// Node and clients share its one thread.
class Lane {
 public:
  virtual ~Lane() = default;
  // Not OK: this machine lacks something that the lane needs, and its tests are skipped.
  virtual absl::Status Missing() const { return absl::OkStatus(); }
  virtual Loop* loop() = 0;
  virtual absl::StatusOr<std::unique_ptr<Listener>> Listen() = 0;  // at address()
  virtual std::unique_ptr<Connector> MakeConnector() = 0;
  // Of a node that asks another.
  virtual std::unique_ptr<Connector> MakePeerConnector() { return MakeConnector(); }
  virtual std::string address() const = 0;
  // One round of the loop; false: nothing is left to do, ever.
  virtual bool Step() = 0;
  // Zeroed memory that lives as long as the lane, of the kind that its users would take.
  virtual MutableBytes Allocate(uint64_t bytes) {
    memory_.push_back(std::make_unique<std::vector<uint8_t>>(bytes));
    return *memory_.back();
  }
  // Whether blocks are expected to go through shared memory rather than the stream.
  virtual bool shares_memory() const { return false; }

  template <typename T>
  T Run(Task<T> task) {
    return DriveTask(loop(), std::move(task), [this] { return Step(); });
  }
  void RunFor(int64_t ns) {
    const auto sleep = [](Loop* on, int64_t until_ns) -> Task<void> { co_await SleepUntil(on, until_ns); };
    Run(sleep(loop(), loop()->NowNs() + ns));
  }
  // How long a test waits for what must come. INCIPIT_TEST_PATIENCE_MS is for machines that are only emulated.
  static uint32_t patience_ms() {
    return static_cast<uint32_t>(::incipit::testing::FromEnvironment("INCIPIT_TEST_PATIENCE_MS", 20'000));
  }
  // Until `done()`; false if that takes longer than there is patience.
  template <typename Done>
  bool RunUntil(Done done) {
    const int64_t until_ns = loop()->NowNs() + int64_t{patience_ms()} * 1'000'000;
    while (!done() && loop()->NowNs() < until_ns) RunFor(1'000'000);
    return done();
  }

 private:
  std::vector<std::unique_ptr<std::vector<uint8_t>>> memory_;
};

}  // namespace incipit::conformance
