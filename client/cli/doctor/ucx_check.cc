#include "client/cli/doctor/ucx_check.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "transport/ucx/ucx_api.h"
#include "transport/ucx/ucx_config.h"

namespace incipit {
namespace {

bool Works(const UcxApi* api, const UcxSettings& settings) {
  const absl::StatusOr<ucp_context_h> context = MakeUcxContext(api, settings);
  if (context.ok()) api->cleanup(*context);
  return context.ok();
}

}  // namespace

UcxProbe ProbeUcx(const std::vector<std::string>& rdma_devices) {
  UcxProbe probe;
  const absl::StatusOr<const UcxApi*> api = UcxApi::Load();
  if (!api.ok()) {
    probe.version = api.status();
    return probe;
  }
  probe.version = (*api)->Version();
  if (Works(*api, {"lo", "tcp"})) probe.transports.emplace_back("tcp");
  if (Works(*api, {"lo", "posix,tcp"})) probe.transports.emplace_back("posix");
  for (const std::string& device : rdma_devices) {
    if (!Works(*api, {absl::StrCat(device, ":1"), "rc"})) continue;
    probe.transports.push_back(absl::StrCat("rc on ", device, ":1"));
  }
  return probe;
}

DoctorCheck CheckUcx(const UcxProbe& probe, bool has_rdma_devices) {
  DoctorCheck check{.name = "ucx"};
  check.details = {{"version", probe.version.ok() ? nlohmann::json(*probe.version) : nlohmann::json()},
                   {"transports", probe.transports}};
  if (probe.version.ok()) {
    check.found = absl::StrCat("UCX ", *probe.version, ", transports: ", absl::StrJoin(probe.transports, ", "));
    return check;
  }
  check.found = absl::StrCat("no UCX, so no ucx lane: ", std::string(probe.version.status().message()));
  if (!has_rdma_devices) return check;
  check.status = DoctorStatus::kWarn;
  check.advice = "apt-get install libucx0, to use the RDMA devices of this machine";
  return check;
}

}  // namespace incipit
