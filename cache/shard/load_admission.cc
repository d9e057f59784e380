#include "cache/shard/load_admission.h"

#include <algorithm>

#include "transport/frame_channel.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kYieldNs = 2 * kMillisecondNs;
constexpr int64_t kRateWindowNs = 10 * kMillisecondNs;
// That several sessions send in one round of the loop, about a quarter of a millisecond.
constexpr uint64_t kRoundBytes = 512 << 10;
// Appointments are spaced a little closer than loads end, so that there is always somebody to take a free place, and
// hardly anybody who is refused again: what refusals cost then does not grow with the number of those who ask.
constexpr double kAppointmentsPerLoad = 1.2;
constexpr uint32_t kShareForLoadsAlone = 4;  // the last quarter of each limit
constexpr uint32_t kMinRetryAfterUs = 200;
constexpr uint32_t kMaxRetryAfterUs = 1'000'000;

double Average(double before, double next) { return 0.8 * before + 0.2 * next; }  // moving

}  // namespace

LoadAdmission::LoadAdmission(Loop* loop, const ShardLimits& limits) : loop_(loop), limits_(limits), idle_(loop) {
  idle_.Set();
}

bool LoadAdmission::HasAppointmentNow(const LoadCaller& caller) const {
  return caller.appointment_ns != 0 && loop_->NowNs() >= caller.appointment_ns;
}

bool LoadAdmission::MayLoad(const LoadCaller& caller) const {
  if (loads_ >= limits_.max_loads || caller.loads >= limits_.max_loads_per_session) return false;
  if (HasAppointmentNow(caller) || next_appointment_ns_ <= loop_->NowNs()) return true;
  // Others were told to come soon. Whoever comes before them without an appointment would take their places, and they
  // would be refused again and again. But places must not lie idle either, should those others stay away.
  return loads_ < limits_.max_loads / 2;
}

bool LoadAdmission::Admit(uint64_t bytes, LoadCaller* caller) {
  if (!MayLoad(*caller) || (loads_ > 0 && load_bytes_ + bytes > limits_.max_load_bytes)) return false;
  ++loads_;
  if (caller->loads++ == 0) ++sessions_loading_;
  load_bytes_ += bytes;
  bytes_per_load_ = Average(bytes_per_load_, static_cast<double>(bytes));
  idle_.Clear();
  return true;
}

bool LoadAdmission::MayStore() const {
  return loads_ == 0 || (loads_ < limits_.max_loads - limits_.max_loads / kShareForLoadsAlone &&
                         load_bytes_ < limits_.max_load_bytes - limits_.max_load_bytes / kShareForLoadsAlone);
}

uint32_t LoadAdmission::Refuse(LoadCaller* caller) {
  const auto spacing_ns = static_cast<int64_t>(bytes_per_load_ / std::max(bytes_per_ns_, 1e-3) / kAppointmentsPerLoad);
  const int64_t now_ns = loop_->NowNs();
  next_appointment_ns_ = std::max(next_appointment_ns_, now_ns) + spacing_ns;
  next_appointment_ns_ = std::min(next_appointment_ns_, now_ns + int64_t{kMaxRetryAfterUs} * 1000);
  const auto wait_us =
      static_cast<uint32_t>(std::max<int64_t>((next_appointment_ns_ - now_ns) / 1000, kMinRetryAfterUs));
  caller->appointment_ns = now_ns + int64_t{wait_us} * 1000;
  return wait_us;
}

void LoadAdmission::Progress(uint64_t bytes) {
  load_bytes_ -= std::min(bytes, load_bytes_);
  progress_bytes_ += bytes;
  const int64_t now_ns = loop_->NowNs();
  if (now_ns - last_progress_ns_ < kRateWindowNs) return;
  const double rate = static_cast<double>(progress_bytes_) / static_cast<double>(now_ns - last_progress_ns_);
  bytes_per_ns_ = Average(bytes_per_ns_, rate);
  last_progress_ns_ = now_ns;
  progress_bytes_ = 0;
}

void LoadAdmission::End(LoadCaller* caller) {
  // Only now: the loads that a session sends together at its time are all let in.
  caller->appointment_ns = 0;
  if (--caller->loads == 0) --sessions_loading_;
  if (--loads_ == 0) idle_.Set();
}

uint64_t LoadAdmission::TransferBytes() const {
  return sessions_loading_ <= 1 ? FrameChannel::kMaxTransferBytes : kRoundBytes / sessions_loading_;
}

Task<void> LoadAdmission::YieldToLoads() {
  if (loads_ > 0) co_await idle_.WaitUntil(loop_->NowNs() + kYieldNs);
}

}  // namespace incipit
