// Processor, clock, network and descriptor limits. Pure: all that they know is in their arguments.
#pragma once

#include "client/cli/doctor/doctor_check.h"
#include "client/cli/doctor/process_limits.h"
#include "client/cli/doctor/system_files.h"

namespace incipit {

DoctorCheck CheckCpu(const SystemFiles& files);
DoctorCheck CheckClockSource(const SystemFiles& files);
DoctorCheck CheckTcpBuffers(const SystemFiles& files);
DoctorCheck CheckFabric(const SystemFiles& files);
DoctorCheck CheckOpenFiles(const ProcessLimits& limits);

}  // namespace incipit
