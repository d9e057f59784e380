#include "client/cli/doctor/memory_checks.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/doctor/units.h"

namespace incipit {
namespace {

// Registered in any case: write buffers and read slots of a few shards.
constexpr uint64_t kLeastMemlockBytes = 256ull << 20;
constexpr int64_t kDefaultHugePageKib = 2048;

// The word in brackets of "always [madvise] never".
std::string Selected(const std::string& choices) {
  const size_t open = choices.find('['), close = choices.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return "unknown";
  return choices.substr(open + 1, close - open - 1);
}

}  // namespace

DoctorCheck CheckMemlock(const ProcessLimits& limits, uint64_t arena_bytes) {
  const uint64_t wanted = std::max(arena_bytes, kLeastMemlockBytes);
  const bool unlimited = limits.memlock_bytes == ProcessLimits::kUnlimited;
  DoctorCheck check{.name = "memlock"};
  check.details = {{"limit_bytes", unlimited ? nlohmann::json() : nlohmann::json(limits.memlock_bytes)},
                   {"can_exceed", limits.can_exceed_memlock},
                   {"wanted_bytes", wanted}};
  const std::string limit = unlimited ? "unlimited" : FormatBytes(limits.memlock_bytes);
  if (limits.can_exceed_memlock) {
    check.found = absl::StrCat("limit ", limit, ", not binding for this user (CAP_IPC_LOCK)");
  } else if (limits.memlock_bytes >= wanted) {
    check.found = absl::StrCat("limit ", limit, ", enough for ", FormatBytes(wanted));
  } else {
    check.status = DoctorStatus::kWarn;
    check.found = absl::StrCat("limit ", limit, ", but ", FormatBytes(wanted), " would be registered with io_uring");
    check.advice = "ulimit -l unlimited; systemd: LimitMEMLOCK=infinity; docker: --ulimit memlock=-1";
  }
  return check;
}

DoctorCheck CheckHugePages(const SystemFiles& files, uint64_t arena_bytes) {
  const int64_t free_pages = files.NumberField("/proc/meminfo", "HugePages_Free").value_or(0);
  const int64_t page_kib = files.NumberField("/proc/meminfo", "Hugepagesize").value_or(kDefaultHugePageKib);
  const std::string transparent =
      Selected(files.Text("/sys/kernel/mm/transparent_hugepage/enabled").value_or("[absent]"));
  const uint64_t page_bytes = static_cast<uint64_t>(std::max<int64_t>(page_kib, 1)) << 10;
  const uint64_t free_bytes = static_cast<uint64_t>(std::max<int64_t>(free_pages, 0)) * page_bytes;
  DoctorCheck check{.name = "huge_pages"};
  check.details = {{"free", free_pages}, {"page_bytes", page_bytes}, {"transparent", transparent}};
  check.found = absl::StrCat(free_pages, " free huge pages of ", FormatBytes(page_bytes), ", transparent huge pages ",
                             transparent);
  const bool reserved = free_pages > 0 && free_bytes >= arena_bytes;
  const bool on_request = transparent == "always" || transparent == "madvise";
  if (reserved || on_request) return check;
  check.status = DoctorStatus::kWarn;
  check.advice = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
  if (arena_bytes > 0) {
    absl::StrAppend(&check.advice, ", or sysctl -w vm.nr_hugepages=", (arena_bytes + page_bytes - 1) / page_bytes);
  }
  return check;
}

DoctorCheck CheckNuma(const SystemFiles& files) {
  int nodes = 0;
  for (const std::string& name : files.List("/sys/devices/system/node")) {
    int index = 0;
    if (absl::StartsWith(name, "node") && absl::SimpleAtoi(name.substr(4), &index)) ++nodes;
  }
  DoctorCheck check{.name = "numa"};
  nodes = std::max(nodes, 1);  // Kernels without NUMA have no such directory.
  check.details = {{"nodes", nodes}};
  check.found = nodes == 1 ? "one memory node" : absl::StrCat(nodes, " memory nodes");
  if (nodes > 1) {
    check.status = DoctorStatus::kWarn;
    check.advice =
        "keep threads and arenas together: numactl --cpunodebind=0 --membind=0 incipit serve ..., one "
        "process per memory node";
  }
  return check;
}

}  // namespace incipit
