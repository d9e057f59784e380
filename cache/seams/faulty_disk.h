// The faulty form of the Disk seam: passes operations to another Disk and makes chosen ones fail. Every fault has a
// name and counters, so that a test can prove that a fault was reached.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>

#include "cache/runtime/loop.h"
#include "cache/runtime/sync.h"
#include "cache/seams/disk.h"
#include "cache/seams/random.h"

namespace incipit {

enum class FaultSite : uint8_t {
  kReadError = 0,  // Unavailable, nothing read
  kWriteError,     // Unavailable, nothing written
  kFlushError,     // Unavailable, nothing flushed
  kNoSpace,        // ResourceExhausted on a write, nothing written
  kTornWrite,      // Unavailable, some sectors written
  kFlippedBit,     // a read that succeeds with one bit wrong
  kHang,           // the operation waits until Unhang()
  kCrash,          // this operation and all later ones: Unavailable, nothing reaches the device
};
inline constexpr size_t kFaultSites = 8;
const char* FaultSiteName(FaultSite site);

// Owner: the test. The wrapped disk, loop and random must outlive it. One thread only.
class FaultyDisk : public Disk {
 public:
  FaultyDisk(Loop* loop, Disk* disk, Random* random);

  uint64_t CapacityBytes() const override { return disk_->CapacityBytes(); }
  Task<absl::Status> Read(uint64_t offset, MutableBytes into) override;
  Task<absl::Status> Write(uint64_t offset, ByteView from) override;
  Task<absl::Status> Flush() override;

  // The fault happens at the eligible operations after the next `skip`, `count` times.
  void Plan(FaultSite site, uint64_t skip, uint64_t count = std::numeric_limits<uint64_t>::max());
  // The fault happens to each eligible operation with this chance, drawn from the random.
  void SetProbability(FaultSite site, double probability);
  // Ends all plans and probabilities, and lets hung operations go on.
  void Heal();
  void Unhang();

  // The k-th operation from the start, counting all kinds from 1, does not happen, and none after it. `then` runs at
  // that moment: the place to crash the disk below.
  void CrashAtOperation(uint64_t k, std::function<void()> then);

  uint64_t operations() const { return operations_; }
  bool crashed() const { return crashed_; }
  uint64_t fired(FaultSite site) const { return sites_[static_cast<size_t>(site)].fired; }

 private:
  struct Site {
    uint64_t skip = 0;
    uint64_t count = 0;
    double probability = 0;
    uint64_t fired = 0;
  };
  bool Fires(FaultSite site);
  // Counts the operation, waits while hung; an error if the crash has come.
  Task<absl::Status> Enter();
  Task<absl::Status> WriteTorn(uint64_t offset, ByteView from);

  Disk* disk_;
  Random* random_;
  std::array<Site, kFaultSites> sites_{};
  Event unhung_;
  uint64_t operations_ = 0;
  uint64_t crash_at_ = 0;
  std::function<void()> on_crash_;
  bool crashed_ = false;
};

}  // namespace incipit
