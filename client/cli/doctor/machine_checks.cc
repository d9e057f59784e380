#include "client/cli/doctor/machine_checks.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cache/base/xxh3.h"
#include "client/cli/doctor/units.h"

namespace incipit {
namespace {

constexpr uint64_t kLeastOpenFiles = 4096;         // clients hold one connection per shard
constexpr int64_t kLeastTcpBufferBytes = 4 << 20;  // the kernel's default for sending

// What the kernel's name of a feature is good for here.
struct CpuFeature {
  const char* flag;
  const char* use;
};
constexpr CpuFeature kCpuFeatures[] = {
    {"sha_ni", "SHA-256 of prefix keys, 4 to 6 times slower without"},
    {"avx2", "XXH3 checksums, 2 to 3 times slower without"},
    {"avx512f", "XXH3 checksums and copies"},
    {"avx512bw", "XXH3 checksums"},
    {"aes", "sealed blocks"},
};

std::set<std::string> CpuFlags(const SystemFiles& files) {
  std::optional<std::string> flags = files.Field("/proc/cpuinfo", "flags");
  if (!flags) flags = files.Field("/proc/cpuinfo", "Features");  // arm64's name for the same
  if (!flags) return {};
  return absl::StrSplit(*flags, absl::ByAnyChar(" \t"), absl::SkipEmpty());
}

// The third number of "min default max".
int64_t MaxOfTriple(const SystemFiles& files, const std::string& path) {
  const std::vector<std::string> words =
      absl::StrSplit(files.Text(path).value_or(""), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  int64_t value = 0;
  if (words.size() != 3 || !absl::SimpleAtoi(words[2], &value)) return 0;
  return value;
}

nlohmann::json DescribeFabricDevice(const SystemFiles& files, const std::string& device) {
  const std::string base = absl::StrCat("/sys/class/infiniband/", device);
  nlohmann::json ports = nlohmann::json::array();
  for (const std::string& port : files.List(base + "/ports")) {
    const std::string at = absl::StrCat(base, "/ports/", port);
    ports.push_back({{"port", port},
                     {"state", files.Text(at + "/state").value_or("unknown")},
                     {"link_layer", files.Text(at + "/link_layer").value_or("unknown")},
                     {"rate", files.Text(at + "/rate").value_or("unknown")}});
  }
  return {{"device", device}, {"ports", ports}};
}

bool AnyPortActive(const nlohmann::json& device) {
  return std::any_of(device["ports"].begin(), device["ports"].end(), [](const nlohmann::json& port) {
    return absl::StrContains(port["state"].get<std::string>(), "ACTIVE");
  });
}

}  // namespace

DoctorCheck CheckCpu(const SystemFiles& files) {
  const std::set<std::string> flags = CpuFlags(files);
  const bool arm = flags.contains("asimd");
  std::vector<std::string> present, missing;
  if (!arm) {
    for (const CpuFeature& feature : kCpuFeatures)
      (flags.contains(feature.flag) ? present : missing).push_back(feature.flag);
  }
  const std::string model = files.Field("/proc/cpuinfo", "model name").value_or("unknown processor");
  DoctorCheck check{.name = "cpu"};
  check.details = {{"model", model}, {"present", present}, {"missing", missing}, {"xxh3_kernel", Xxh3Kernel()}};
  check.found = absl::StrCat(model, ": ", present.empty() ? "no special instructions" : absl::StrJoin(present, " "),
                             "; checksums use ", Xxh3Kernel());
  // AVX-512 is a bonus; the others decide whether the tier keeps up with the network.
  std::vector<std::string> costs;
  for (const CpuFeature& feature : kCpuFeatures) {
    const bool needed = !absl::StartsWith(feature.flag, "avx512");
    if (!arm && needed && !flags.contains(feature.flag))
      costs.push_back(absl::StrCat(feature.flag, " (", feature.use, ")"));
  }
  if (!costs.empty()) {
    check.status = DoctorStatus::kWarn;
    check.advice = absl::StrCat("missing: ", absl::StrJoin(costs, ", "),
                                ". In a virtual machine pass the host's processor through (libvirt: host-passthrough)");
  }
  return check;
}

DoctorCheck CheckClockSource(const SystemFiles& files) {
  const std::string base = "/sys/devices/system/clocksource/clocksource0/";
  const std::string current = files.Text(base + "current_clocksource").value_or("unknown");
  const std::string available = files.Text(base + "available_clocksource").value_or("");
  DoctorCheck check{.name = "clock_source", .found = current};
  check.details = {{"current", current}, {"available", available}};
  if (current != "hpet" && current != "acpi_pm" && current != "jiffies" && current != "xen") return check;
  check.status = DoctorStatus::kWarn;
  check.found = absl::StrCat(current, ": each reading of the clock is a system call");
  check.advice = absl::StrContains(available, "tsc") ? absl::StrCat("echo tsc > ", base, "current_clocksource")
                                                     : "the kernel offers no faster one here; see dmesg | grep -i tsc";
  return check;
}

DoctorCheck CheckTcpBuffers(const SystemFiles& files) {
  const int64_t receive = MaxOfTriple(files, "/proc/sys/net/ipv4/tcp_rmem");
  const int64_t send = MaxOfTriple(files, "/proc/sys/net/ipv4/tcp_wmem");
  DoctorCheck check{.name = "tcp_buffers"};
  check.details = {{"rmem_max_bytes", receive}, {"wmem_max_bytes", send}};
  if (receive == 0 || send == 0) {
    check.status = DoctorStatus::kWarn;
    check.found = "net.ipv4.tcp_rmem and tcp_wmem cannot be read";
    check.advice = "check them on the host: sysctl net.ipv4.tcp_rmem net.ipv4.tcp_wmem";
    return check;
  }
  check.found = absl::StrCat("receive up to ", FormatBytes(static_cast<uint64_t>(receive)), ", send up to ",
                             FormatBytes(static_cast<uint64_t>(send)), " per connection");
  if (receive >= kLeastTcpBufferBytes && send >= kLeastTcpBufferBytes) return check;
  check.status = DoctorStatus::kWarn;
  check.advice = "sysctl -w net.ipv4.tcp_rmem='4096 131072 16777216' net.ipv4.tcp_wmem='4096 65536 16777216'";
  return check;
}

DoctorCheck CheckFabric(const SystemFiles& files) {
  nlohmann::json devices = nlohmann::json::array();
  std::vector<std::string> names, idle;
  for (const std::string& device : files.List("/sys/class/infiniband")) {
    devices.push_back(DescribeFabricDevice(files, device));
    names.push_back(device);
    if (!AnyPortActive(devices.back())) idle.push_back(device);
  }
  DoctorCheck check{.name = "fabric"};
  check.details = {{"devices", devices}};
  if (names.empty()) {
    check.found = "no RDMA devices; TCP carries everything";
    return check;
  }
  check.found = absl::StrCat("RDMA devices: ", absl::StrJoin(names, ", "));
  if (!idle.empty()) {
    check.status = DoctorStatus::kWarn;
    absl::StrAppend(&check.found, "; no active port on ", absl::StrJoin(idle, ", "));
    check.advice = absl::StrCat("bring the link up: rdma link show ", idle.front());
  }
  return check;
}

DoctorCheck CheckOpenFiles(const ProcessLimits& limits) {
  const bool unlimited = limits.open_files == ProcessLimits::kUnlimited;
  DoctorCheck check{.name = "open_files"};
  check.details = {{"limit", unlimited ? nlohmann::json() : nlohmann::json(limits.open_files)}};
  check.found = unlimited ? "unlimited" : absl::StrCat("limit ", limits.open_files);
  if (limits.open_files >= kLeastOpenFiles) return check;
  check.status = DoctorStatus::kWarn;
  absl::StrAppend(&check.found, "; each client holds one connection per shard");
  check.advice =
      absl::StrCat("ulimit -n ", std::min<uint64_t>(65536, limits.open_files_hard), "; systemd: LimitNOFILE=65536");
  return check;
}

}  // namespace incipit
