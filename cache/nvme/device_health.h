// Decides when a device is out of service: after a number of errors or timeouts in a row.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "cache/nvme/condition.h"

namespace incipit {

enum class DeviceFault : uint8_t { kRead, kWrite, kFlush, kTimeout };

struct NvmeStats;

// Owner: the tier's Device. One thread. Counts every fault in the tier's stats and keeps the text of the last one.
class DeviceHealth {
 public:
  DeviceHealth(Loop* loop, uint32_t suspend_after_errors, NvmeStats* stats)
      : suspend_after_errors_(suspend_after_errors), stats_(stats), changed_(loop) {}

  void OnSuccess() { errors_in_row_ = 0; }
  void OnFault(DeviceFault fault, const std::string& cause);
  // The probe worked.
  void Resume();

  bool serving() const { return serving_; }
  // Unavailable, naming the cause. REQUIRES: !serving().
  absl::Status Refusal() const;
  // Notified when serving() changes; the function is called first.
  Condition& changed() { return changed_; }
  void set_on_change(std::function<void()> function) { on_change_ = std::move(function); }

 private:
  void Set(bool serving);
  uint32_t suspend_after_errors_;
  NvmeStats* stats_;
  Condition changed_;
  std::function<void()> on_change_;
  bool serving_ = true;
  uint32_t errors_in_row_ = 0;
  std::string cause_;
};

}  // namespace incipit
