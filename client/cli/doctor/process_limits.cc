#include "client/cli/doctor/process_limits.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace incipit {
namespace {

uint64_t FromRlim(rlim_t limit) { return limit == RLIM_INFINITY ? ProcessLimits::kUnlimited : uint64_t{limit}; }

bool HoldsIpcLock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

}  // namespace

ProcessLimits ProcessLimits::Current() {
  ProcessLimits limits;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) limits.memlock_bytes = FromRlim(limit.rlim_cur);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limits.open_files = FromRlim(limit.rlim_cur);
    limits.open_files_hard = FromRlim(limit.rlim_max);
  }
  limits.can_exceed_memlock = HoldsIpcLock();
  return limits;
}

}  // namespace incipit
