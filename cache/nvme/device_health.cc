#include "cache/nvme/device_health.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "cache/nvme/nvme_tier.h"

namespace incipit {

void DeviceHealth::OnFault(DeviceFault fault, const std::string& cause) {
  switch (fault) {
    case DeviceFault::kRead:
      ++stats_->read_errors;
      break;
    case DeviceFault::kWrite:
      ++stats_->write_errors;
      break;
    case DeviceFault::kFlush:
      ++stats_->flush_errors;
      break;
    case DeviceFault::kTimeout:
      ++stats_->timeouts;
      break;
  }
  stats_->last_error = cause;
  if (!serving_ || ++errors_in_row_ < suspend_after_errors_) return;
  cause_ = cause;
  ++stats_->suspensions;
  spdlog::error("nvme: out of service after {} errors in a row: {}", errors_in_row_, cause);
  Set(false);
}

void DeviceHealth::Resume() {
  errors_in_row_ = 0;
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
