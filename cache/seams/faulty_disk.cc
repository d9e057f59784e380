#include "cache/seams/faulty_disk.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/format/region.h"

namespace incipit {
namespace {

constexpr size_t kSectorBytes = 512;
constexpr uint64_t kChanceScale = 1'000'000'000;

struct FreeMemory {
  void operator()(uint8_t* memory) const { std::free(memory); }
};

absl::Status Injected(FaultSite site, const char* operation, uint64_t offset) {
  const std::string message = absl::StrCat(operation, " at ", offset, ": injected ", FaultSiteName(site));
  return site == FaultSite::kNoSpace ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

}  // namespace

const char* FaultSiteName(FaultSite site) {
  static constexpr const char* kNames[kFaultSites] = {"read error", "write error", "flush error", "no space",
                                                      "torn write", "flipped bit", "hang",        "crash"};
  return kNames[static_cast<size_t>(site)];
}

FaultyDisk::FaultyDisk(Loop* loop, Disk* disk, Random* random) : disk_(disk), random_(random), unhung_(loop) {}

void FaultyDisk::Plan(FaultSite site, uint64_t skip, uint64_t count) {
  sites_[static_cast<size_t>(site)].skip = skip;
  sites_[static_cast<size_t>(site)].count = count;
}

void FaultyDisk::SetProbability(FaultSite site, double probability) {
  sites_[static_cast<size_t>(site)].probability = probability;
}

void FaultyDisk::Heal() {
  for (Site& site : sites_) site = Site{.fired = site.fired};
  Unhang();
}

void FaultyDisk::Unhang() {
  sites_[static_cast<size_t>(FaultSite::kHang)].count = 0;
  unhung_.Set();
  unhung_.Clear();
}

void FaultyDisk::CrashAtOperation(uint64_t k, std::function<void()> then) {
  crash_at_ = k;
  on_crash_ = std::move(then);
}

bool FaultyDisk::Fires(FaultSite name) {
  Site& site = sites_[static_cast<size_t>(name)];
  bool fires = site.probability > 0 && random_->Below(kChanceScale) <
                                           static_cast<uint64_t>(site.probability * static_cast<double>(kChanceScale));
  if (site.count > 0) {
    if (site.skip > 0) {
      --site.skip;
    } else {
      --site.count;
      fires = true;
    }
  }
  if (fires) ++site.fired;
  return fires;
}

Task<absl::Status> FaultyDisk::Enter() {
  ++operations_;
  if (crash_at_ != 0 && operations_ >= crash_at_ && !crashed_) {
    crashed_ = true;
    ++sites_[static_cast<size_t>(FaultSite::kCrash)].fired;
    if (on_crash_) on_crash_();
  }
  if (!crashed_ && Fires(FaultSite::kHang)) co_await unhung_.Wait();
  if (crashed_) co_return absl::UnavailableError("the device crashed");
  co_return absl::OkStatus();
}

Task<absl::Status> FaultyDisk::Read(uint64_t offset, MutableBytes into) {
  absl::Status status = co_await Enter();
  if (!status.ok()) co_return status;
  if (Fires(FaultSite::kReadError)) co_return Injected(FaultSite::kReadError, "read", offset);
  status = co_await disk_->Read(offset, into);
  if (status.ok() && !into.empty() && Fires(FaultSite::kFlippedBit)) {
    into[random_->Below(into.size())] ^= static_cast<uint8_t>(1u << random_->Below(8));
  }
  co_return status;
}

Task<absl::Status> FaultyDisk::Write(uint64_t offset, ByteView from) {
  absl::Status status = co_await Enter();
  if (!status.ok()) co_return status;
  if (Fires(FaultSite::kWriteError)) co_return Injected(FaultSite::kWriteError, "write", offset);
  if (Fires(FaultSite::kNoSpace)) co_return Injected(FaultSite::kNoSpace, "write", offset);
  if (Fires(FaultSite::kTornWrite)) {
    status = co_await WriteTorn(offset, from);
    co_return status;
  }
  status = co_await disk_->Write(offset, from);
  co_return status;
}

Task<absl::Status> FaultyDisk::WriteTorn(uint64_t offset, ByteView from) {
  std::unique_ptr<uint8_t, FreeMemory> merged(static_cast<uint8_t*>(std::aligned_alloc(kDiskPageBytes, from.size())));
  absl::Status status = co_await disk_->Read(offset, MutableBytes{merged.get(), from.size()});
  for (size_t at = 0; at < from.size(); at += kSectorBytes) {
    if (random_->Below(2) == 0) std::memcpy(merged.get() + at, from.data() + at, kSectorBytes);
  }
  if (status.ok()) status = co_await disk_->Write(offset, ByteView{merged.get(), from.size()});
  co_return Injected(FaultSite::kTornWrite, "write", offset);
}

Task<absl::Status> FaultyDisk::Flush() {
  absl::Status status = co_await Enter();
  if (!status.ok()) co_return status;
  if (Fires(FaultSite::kFlushError)) co_return Injected(FaultSite::kFlushError, "flush", 0);
  status = co_await disk_->Flush();
  co_return status;
}

}  // namespace incipit
