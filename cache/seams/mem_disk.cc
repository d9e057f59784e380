#include "cache/seams/mem_disk.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/format/region.h"
#include "cache/runtime/sync.h"

namespace incipit {
namespace {

struct NextRound {
  Loop* loop;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { loop->Post(waiter); }
  void await_resume() const {}
};

}  // namespace

MemDisk::MemDisk(Loop* loop, std::shared_ptr<MemDiskContents> contents, const MemDiskOptions& options)
    : loop_(loop), contents_(std::move(contents)), options_(options), random_(MakeSeededRandom(options.seed)) {}

Task<void> MemDisk::Wait() {
  int64_t wait_ns = options_.latency_ns;
  if (options_.jitter_ns > 0) wait_ns += static_cast<int64_t>(random_->Below(options_.jitter_ns));
  if (wait_ns == 0) {
    co_await NextRound{loop_};
  } else {
    co_await SleepUntil(loop_, loop_->NowNs() + wait_ns);
  }
}

absl::Status MemDisk::Check(const char* operation, uint64_t offset, ByteView buffer) const {
  if (crashed_) return absl::UnavailableError(absl::StrCat(operation, " at ", offset, ": the device lost power"));
  const auto address = reinterpret_cast<uintptr_t>(buffer.data());
  if (offset % kDiskPageBytes != 0 || buffer.size() % kDiskPageBytes != 0 || address % kDiskPageBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, " at ", offset, " of ", buffer.size(), " bytes: not aligned to ", kDiskPageBytes));
  }
  if (offset > CapacityBytes() || buffer.size() > CapacityBytes() - offset) {
    return absl::OutOfRangeError(absl::StrCat(operation, " at ", offset, " of ", buffer.size(),
                                              " bytes: beyond the capacity of ", CapacityBytes(), " bytes"));
  }
  return absl::OkStatus();
}

Task<absl::Status> MemDisk::Read(uint64_t offset, MutableBytes into) {
  absl::Status status = Check("read", offset, into);
  if (!status.ok()) co_return status;
  co_await Wait();
  status = Check("read", offset, into);
  if (status.ok()) contents_->Read(offset, into);
  co_return status;
}

Task<absl::Status> MemDisk::Write(uint64_t offset, ByteView from) {
  absl::Status status = Check("write", offset, from);
  if (!status.ok()) co_return status;
  const uint64_t ticket = contents_->BeginWrite(offset, from);
  co_await Wait();
  status = Check("write", offset, from);
  if (status.ok()) contents_->EndWrite(ticket, from);
  co_return status;
}

Task<absl::Status> MemDisk::Flush() {
  absl::Status status = Check("flush", 0, {});
  if (!status.ok()) co_return status;
  const uint64_t point = contents_->BeginFlush();
  co_await Wait();
  status = Check("flush", 0, {});
  if (status.ok()) contents_->EndFlush(point);
  co_return status;
}

void MemDisk::Crash(Random* random) {
  crashed_ = true;
  contents_->Crash(random);
}

}  // namespace incipit
