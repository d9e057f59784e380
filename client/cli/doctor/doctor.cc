#include "client/cli/doctor/doctor.h"

#include "client/cli/doctor/disk_speed.h"
#include "client/cli/doctor/machine_checks.h"
#include "client/cli/doctor/memory_checks.h"
#include "client/cli/doctor/ring_check.h"
#include "client/cli/doctor/storage_checks.h"
#include "client/cli/doctor/ucx_check.h"

namespace incipit {
namespace {

DoctorCheck CheckDiskSpeed(const DoctorOptions& options) {
  if (options.fast) {
    return {.name = "disk_speed", .found = "not measured (--fast)", .details = nlohmann::json::object()};
  }
  DiskSpeedOptions speed;
  speed.directory = options.directory;
  return JudgeDiskSpeed(MeasureDiskSpeed(speed));
}

}  // namespace

std::vector<DoctorCheck> RunDoctor(const DoctorOptions& options) {
  const SystemFiles files(options.system_root);
  const ProcessLimits limits = ProcessLimits::Current();
  const std::vector<std::string> rdma_devices = files.List("/sys/class/infiniband");
  return {
      CheckRing(files, ProbeRing()),
      CheckMemlock(limits, options.arena_bytes),
      CheckHugePages(files, options.arena_bytes),
      CheckNuma(files),
      CheckDirectIo(options.directory),
      CheckFreeSpace(options.directory, options.nvme_bytes),
      CheckDiskSpeed(options),
      CheckCpu(files),
      CheckClockSource(files),
      CheckTcpBuffers(files),
      CheckOpenFiles(limits),
      CheckFabric(files),
      CheckUcx(ProbeUcx(rdma_devices), !rdma_devices.empty()),
  };
}

}  // namespace incipit
