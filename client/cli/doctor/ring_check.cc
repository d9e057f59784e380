#include "client/cli/doctor/ring_check.h"

#include <cerrno>
#include <cstring>

#include <liburing.h>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr unsigned kProbeEntries = 8;
constexpr int64_t kSeccompFilter = 2;

std::string RefusalAdvice(int error, int64_t disabled, int64_t seccomp) {
  if (error == ENOSYS) return "boot a kernel with io_uring, 5.19 or later (Debian 12 has 6.1)";
  if (error == ENOMEM) return "raise the locked-memory limit: ulimit -l unlimited (systemd: LimitMEMLOCK=infinity)";
  if (disabled > 0) return "sysctl -w kernel.io_uring_disabled=0";
  if (seccomp == kSeccompFilter) {
    return "a seccomp filter refuses it: allow io_uring_setup, io_uring_enter and io_uring_register in the container's "
           "profile (docker: --security-opt seccomp=PROFILE.json)";
  }
  return "see dmesg: a security module or the kernel's configuration refuses io_uring";
}

}  // namespace

RingProbe ProbeRing() {
  RingProbe probe;
  io_uring ring{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  int error = io_uring_queue_init_params(kProbeEntries, &ring, &params);
  probe.single_issuer = error == 0;
  if (error == -EINVAL) {  // Older than 6.1: a ring without its newest flags serves as well, only slower.
    params = {};
    error = io_uring_queue_init_params(kProbeEntries, &ring, &params);
  }
  probe.error = -error;
  if (error != 0) return probe;
  alignas(4096) char page[4096] = {};
  iovec buffer{page, sizeof(page)};
  probe.fixed_buffers = io_uring_register_buffers(&ring, &buffer, 1) == 0;
  io_uring_queue_exit(&ring);
  return probe;
}

DoctorCheck CheckRing(const SystemFiles& files, const RingProbe& probe) {
  const std::string kernel = files.Text("/proc/sys/kernel/osrelease").value_or("unknown");
  const int64_t disabled = files.Number("/proc/sys/kernel/io_uring_disabled").value_or(0);
  const int64_t seccomp = files.NumberField("/proc/self/status", "Seccomp").value_or(0);
  DoctorCheck check{.name = "io_uring"};
  check.details = {
      {"kernel", kernel},           {"io_uring_disabled", disabled},        {"seccomp_mode", seccomp},
      {"setup_errno", probe.error}, {"single_issuer", probe.single_issuer}, {"fixed_buffers", probe.fixed_buffers}};
  if (probe.error != 0) {
    check.status = DoctorStatus::kFail;
    check.found = absl::StrCat("kernel ", kernel, " refuses io_uring_setup: ", std::strerror(probe.error),
                               " (kernel.io_uring_disabled=", disabled, ", seccomp mode ", seccomp, ")");
    check.advice = RefusalAdvice(probe.error, disabled, seccomp);
  } else if (!probe.fixed_buffers) {
    check.status = DoctorStatus::kWarn;
    check.found = absl::StrCat("kernel ", kernel, ", ring works, but registering one page of memory is refused");
    check.advice = "raise the locked-memory limit: ulimit -l unlimited (systemd: LimitMEMLOCK=infinity)";
  } else if (!probe.single_issuer) {
    check.status = DoctorStatus::kWarn;
    check.found = absl::StrCat("kernel ", kernel, ", ring works without SINGLE_ISSUER and DEFER_TASKRUN");
    check.advice = "kernel 6.1 or later saves interrupts between threads; everything works without it";
  } else {
    check.found = absl::StrCat("kernel ", kernel, ", ring with SINGLE_ISSUER and DEFER_TASKRUN, registered buffers");
  }
  return check;
}

}  // namespace incipit
