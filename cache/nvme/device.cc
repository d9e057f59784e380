#include "cache/nvme/device.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

Device::Device(Loop* loop, Disk* disk, Random* random, const NvmeOptions& options, NvmeStats* stats)
    : loop_(loop),
      disk_(disk),
      random_(random),
      stats_(stats),
      probe_interval_ns_(static_cast<int64_t>(options.probe_interval_ms) * kNsPerMs),
      health_(loop, options.suspend_after_errors, stats),
      reads_(this, static_cast<int64_t>(options.read_timeout_ms) * kNsPerMs),
      writes_(this, static_cast<int64_t>(options.write_timeout_ms) * kNsPerMs),
      stopping_(loop),
      scope_(loop) {}

DeviceOpRef Device::StartRead(uint64_t offset, MutableBytes into, std::shared_ptr<const void> keep) {
  auto op = std::make_shared<DeviceOp>(loop_);
  op->kind = DeviceOpKind::kRead;
  op->offset = offset;
  op->into = into;
  op->keep = std::move(keep);
  return Start(std::move(op), &reads_);
}

DeviceOpRef Device::StartWrite(uint64_t offset, ByteView from, std::shared_ptr<const void> keep) {
  auto op = std::make_shared<DeviceOp>(loop_);
  op->kind = DeviceOpKind::kWrite;
  op->offset = offset;
  op->from = from;
  op->keep = std::move(keep);
  return Start(std::move(op), &writes_);
}

DeviceOpRef Device::StartFlush() {
  auto op = std::make_shared<DeviceOp>(loop_);
  op->kind = DeviceOpKind::kFlush;
  return Start(std::move(op), &writes_);
}

Task<absl::Status> Device::Flush() {
  DeviceOpRef op = StartFlush();
  co_await op->done.Wait();
  co_return op->status;
}

DeviceOpRef Device::Start(DeviceOpRef op, Watch* watch) {
  if (!health_.serving()) {
    op->status = health_.Refusal();
    op->keep = nullptr;
    op->done.Set();
    return op;
  }
  op->started_ns = loop_->NowNs();
  op->watch_until_ns = op->started_ns + watch->timeout_ns;
  op->watched = watch->ops.insert(watch->ops.end(), op.get());
  if (!watch->started()) loop_->StartTimer(watch, op->watch_until_ns);
  scope_.Spawn(Perform(op, watch));
  return op;
}

Task<void> Device::Perform(DeviceOpRef op, Watch* watch) {
  absl::Status status;
  if (op->kind == DeviceOpKind::kRead) {
    status = co_await disk_->Read(op->offset, op->into);
  } else if (op->kind == DeviceOpKind::kWrite) {
    status = co_await disk_->Write(op->offset, op->from);
  } else {
    status = co_await disk_->Flush();
  }
  End(op.get(), watch, std::move(status));
}

void Device::End(DeviceOp* op, Watch* watch, absl::Status status) {
  watch->ops.erase(op->watched);
  if (watch->ops.empty()) loop_->CancelTimer(watch);
  if (op->timed_out) {
    --late_ops_;
    op->keep = nullptr;
    return;
  }
  if (status.ok()) {
    health_.OnSuccess(op->kind);
    stats_->bytes_read += op->into.size();
    stats_->bytes_written += op->from.size();
  } else {
    health_.OnError(op->kind, absl::StrCat(DeviceOpName(op->kind), " at ", op->offset, ": ", status.message()));
    StartProbing();
  }
  op->status = std::move(status);
  op->keep = nullptr;
  op->done.Set();
}

void Device::Watch::OnTimer() {
  const int64_t now_ns = device->loop_->NowNs();
  while (!ops.empty() && ops.front()->watch_until_ns <= now_ns) {
    DeviceOp* op = ops.front();
    const std::string cause =
        absl::StrCat(DeviceOpName(op->kind), " of ", std::max(op->into.size(), op->from.size()), " bytes at ",
                     op->offset, ": no answer for ", (now_ns - op->started_ns) / kNsPerMs, " ms");
    // It is watched again, and counts again, as long as it hangs: a single lost operation on a silent device is
    // enough to take it out of service in the end.
    op->watch_until_ns = now_ns + timeout_ns;
    ops.splice(ops.end(), ops, op->watched);
    device->health_.OnTimeout(op->kind, cause);
    device->StartProbing();
    if (op->timed_out) continue;
    op->timed_out = true;
    ++device->late_ops_;
    op->status = absl::DeadlineExceededError(cause);
    op->done.Set();
  }
  if (!ops.empty()) device->loop_->StartTimer(this, ops.front()->watch_until_ns);
}

void Device::StartProbing() {
  if (health_.serving() || probing_ || stopping_.is_set()) return;
  probing_ = true;
  scope_.Spawn(Probe());
}

// The probe goes to the disk past the refusals and without a timeout: while it hangs, so does the device.
Task<void> Device::Probe() {
  AlignedBuffer written(kDiskPageBytes);
  AlignedBuffer read(kDiskPageBytes);
  while (!health_.serving()) {
    const bool stop = co_await stopping_.WaitUntil(loop_->NowNs() + probe_interval_ns_);
    if (stop) break;
    absl::Status status = co_await ProbeOnce(written.bytes(), read.bytes());
    if (status.ok()) {
      health_.Resume();
    } else {
      stats_->last_error = absl::StrCat("probe: ", status.message());
    }
  }
  probing_ = false;
}

Task<absl::Status> Device::ProbeOnce(MutableBytes written, MutableBytes read) {
  random_->Fill(written);
  absl::Status status = co_await disk_->Write(kScratchPageOffset, written);
  if (status.ok()) status = co_await disk_->Flush();
  if (status.ok()) status = co_await disk_->Read(kScratchPageOffset, read);
  if (status.ok() && !std::equal(written.begin(), written.end(), read.begin())) {
    status = absl::DataLossError(absl::StrCat("the scratch page at ", kScratchPageOffset, " read back differently"));
  }
  co_return status;
}

Task<bool> Device::Stop(int64_t deadline_ns) {
  stopping_.Set();
  const bool ended = co_await scope_.JoinUntil(deadline_ns);
  co_return ended;
}

}  // namespace incipit
