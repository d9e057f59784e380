// Memory for the arenas: may it be locked, are there huge pages, which NUMA nodes hold it.
// Pure: all that they know is in their arguments.
#pragma once

#include <cstdint>

#include "client/cli/doctor/doctor_check.h"
#include "client/cli/doctor/process_limits.h"
#include "client/cli/doctor/system_files.h"

namespace incipit {

// `arena_bytes`: memory that the node will register, all shards together; 0 = not known.
DoctorCheck CheckMemlock(const ProcessLimits& limits, uint64_t arena_bytes);
DoctorCheck CheckHugePages(const SystemFiles& files, uint64_t arena_bytes);
DoctorCheck CheckNuma(const SystemFiles& files);

}  // namespace incipit
