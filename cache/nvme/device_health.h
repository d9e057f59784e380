// Decides when a device is out of service: after a number of errors or timeouts in a row of one kind of operation, so
// that reads that work do not hide writes that fail.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "cache/nvme/condition.h"

namespace incipit {

enum class DeviceOpKind : uint8_t { kRead = 0, kWrite = 1, kFlush = 2 };
const char* DeviceOpName(DeviceOpKind kind);

struct NvmeStats;

// Owner: the tier's Device. One thread. Counts every fault in the tier's stats and keeps the text of the last one.
class DeviceHealth {
 public:
  DeviceHealth(Loop* loop, uint32_t suspend_after_errors, NvmeStats* stats)
      : suspend_after_errors_(suspend_after_errors), stats_(stats), changed_(loop) {}

  void OnSuccess(DeviceOpKind kind) { InRow(kind) = 0; }
  void OnError(DeviceOpKind kind, const std::string& cause);
  void OnTimeout(DeviceOpKind kind, const std::string& cause);
  // The probe worked.
  void Resume();

  bool serving() const { return serving_; }
  // Unavailable, naming the cause. REQUIRES: !serving().
  absl::Status Refusal() const;
  // Notified when serving() changes; the function is called first.
  Condition& changed() { return changed_; }
  void set_on_change(std::function<void()> function) { on_change_ = std::move(function); }

 private:
  uint32_t& InRow(DeviceOpKind kind) { return faults_in_row_[static_cast<size_t>(kind)]; }
  void OnFault(DeviceOpKind kind, const std::string& cause);
  void Set(bool serving);
  uint32_t suspend_after_errors_;
  NvmeStats* stats_;
  Condition changed_;
  std::function<void()> on_change_;
  bool serving_ = true;
  std::array<uint32_t, 3> faults_in_row_{};  // by DeviceOpKind
  std::string cause_;
};

}  // namespace incipit
