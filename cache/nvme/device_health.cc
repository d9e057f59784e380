#include "cache/nvme/device_health.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "cache/nvme/nvme_tier.h"

namespace incipit {

const char* DeviceOpName(DeviceOpKind kind) {
  switch (kind) {
    case DeviceOpKind::kRead:
      return "read";
    case DeviceOpKind::kWrite:
      return "write";
    default:
      return "flush";
  }
}

void DeviceHealth::OnError(DeviceOpKind kind, const std::string& cause) {
  uint64_t* const counters[] = {&stats_->read_errors, &stats_->write_errors, &stats_->flush_errors};
  ++*counters[static_cast<size_t>(kind)];
  OnFault(kind, cause);
}

void DeviceHealth::OnTimeout(DeviceOpKind kind, const std::string& cause) {
  ++stats_->timeouts;
  OnFault(kind, cause);
}

void DeviceHealth::OnFault(DeviceOpKind kind, const std::string& cause) {
  stats_->last_error = cause;
  if (!serving_ || ++InRow(kind) < suspend_after_errors_) return;
  cause_ = cause;
  ++stats_->suspensions;
  spdlog::error("nvme: out of service after {} faults of {} in a row: {}", InRow(kind), DeviceOpName(kind), cause);
  Set(false);
}

void DeviceHealth::Resume() {
  faults_in_row_ = {};
  if (serving_) return;
  spdlog::info("nvme: back in service; it was out because of: {}", cause_);
  Set(true);
}

void DeviceHealth::Set(bool serving) {
  serving_ = serving;
  if (on_change_) on_change_();
  changed_.NotifyAll();
}

absl::Status DeviceHealth::Refusal() const {
  return absl::UnavailableError(absl::StrCat("nvme out of service: ", cause_));
}

}  // namespace incipit
