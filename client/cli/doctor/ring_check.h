// Whether this process may use io_uring, and how well. All disk and network traffic goes through it.
#pragma once

#include "client/cli/doctor/doctor_check.h"
#include "client/cli/doctor/system_files.h"

namespace incipit {

// What setting up a ring gave.
struct RingProbe {
  int error = 0;               // errno of io_uring_setup, 0 = it worked
  bool single_issuer = false;  // IORING_SETUP_SINGLE_ISSUER with DEFER_TASKRUN was accepted (kernel 6.1)
  bool fixed_buffers = false;  // one page could be registered
};

// Sets up a small ring and takes it down again.
RingProbe ProbeRing();

// Names sysctl, seccomp or kernel version as the cause where the ring was refused.
DoctorCheck CheckRing(const SystemFiles& files, const RingProbe& probe);

}  // namespace incipit
